"""Ways to falsify a ledger as the owner of its database, and the names that `audit verify` gives them.

`python tests/support/tamperings.py` writes the table of deploy/OPERATIONS.md anew.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retention.core.evidence.audit_findings import FindingKind
from support.evidence_writer import checkpoint, fragment, place_entries, record_rows
from support.recorded_ledger import HALTED, NIGHTLY

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg

    Change = str | Callable[[psycopg.Connection[Any]], object]

PAGE = Path(__file__).parents[2] / "deploy/OPERATIONS.md"
MARK = "<!-- tamperings -->"


@dataclass(frozen=True, slots=True)
class Tampering:
    """A falsification. `found`: the kinds of findings that name it with anchors; `alone`: those without."""

    name: str
    change: Change
    found: frozenset[FindingKind]
    alone: frozenset[FindingKind]


def _seen(name: str, change: Change, *kinds: str, more: tuple[str, ...] = ()) -> Tampering:
    """A falsification that the database alone shows; anchors show `more`."""
    alone = frozenset(FindingKind[kind.upper()] for kind in kinds)
    return Tampering(name, change, alone | {FindingKind[kind.upper()] for kind in more}, alone)


def _anchored(name: str, change: Change, kind: str) -> Tampering:
    """A falsification that anchors alone show."""
    return _seen(name, change, more=(kind,))


_RENAME = "UPDATE retention.cancellations SET description = 'all right' WHERE round_id = 'R-1';"
_LEAF_AGAIN = """
UPDATE retention.evidence_leaves l SET hash = sha256('\\x00'::bytea || convert_to(e.body, 'UTF8'))
FROM retention.evidence e WHERE e.entry_id = l.entry_id;
"""
_FORGED_ROW = """
INSERT INTO retention.cancellations
    (run_id, partner, market, user_id, round_id, opened_at, state, settled_at, attempts)
VALUES ('{run}', 'acme', 'MT', 'U-7', 'R-7', now(), 'cancelled', now(), 1);
"""
_WITHOUT_RUN = """
CREATE TEMPORARY TABLE gone AS SELECT id FROM retention.cancellations WHERE run_id = '{run}';
DELETE FROM retention.attempts WHERE run_id = '{run}';
DELETE FROM retention.cancellations WHERE run_id = '{run}';
DELETE FROM retention.runs WHERE run_id = '{run}';
"""
_ALL = (
    "TRUNCATE retention.evidence, retention.evidence_leaves, retention.checkpoints, retention.attempts,"
    " retention.cancellations, retention.runs, retention.holds, retention.pauses CASCADE;"
)


def _rewrite_all(connection: psycopg.Connection[Any]) -> None:
    """Replace a row's hash in its entry, and then every hash above it, as if it had always been so."""
    connection.execute(_RENAME.encode())
    hashes = (
        f"SELECT {fragment('shared/cancellation_leaf.sql')} FROM retention.cancellations c, retention.ledger_key k"
        " WHERE c.round_id = 'R-1'"
    )
    connection.execute(
        f"""
        UPDATE retention.evidence e SET body = replace(body, old.hash, ({hashes}))
        FROM (
            SELECT e.entry_id, e.body::json -> 'rows' -> 'cancellation' ->> c.id::text AS hash
            FROM retention.evidence e, retention.cancellations c WHERE c.round_id = 'R-1'
        ) old
        WHERE old.entry_id = e.entry_id AND old.hash IS NOT NULL
        """.encode()
    )
    connection.execute(_LEAF_AGAIN.encode())
    sizes = connection.execute("SELECT checkpoint_id, size FROM retention.checkpoints ORDER BY size").fetchall()
    for checkpoint_id, size in sizes:
        connection.execute("CREATE TEMPORARY TABLE kept AS SELECT * FROM retention.evidence_leaves")
        connection.execute("DELETE FROM retention.evidence_leaves WHERE leaf >= %s", [size])
        checkpoint(connection)
        connection.execute("DELETE FROM retention.evidence_leaves")
        connection.execute("INSERT INTO retention.evidence_leaves SELECT * FROM kept")
        connection.execute("DROP TABLE kept")
        connection.execute(
            "UPDATE retention.checkpoints c SET root = n.root, frontier = n.frontier FROM retention.checkpoints n"
            " WHERE c.checkpoint_id = %s AND n.checkpoint_id = (SELECT max(checkpoint_id) FROM retention.checkpoints)",
            [checkpoint_id],
        )
        connection.execute(
            "DELETE FROM retention.checkpoints"
            " WHERE checkpoint_id = (SELECT max(checkpoint_id) FROM retention.checkpoints)"
        )


_REWIND = """
DELETE FROM retention.checkpoints WHERE checkpoint_id = (SELECT max(checkpoint_id) FROM retention.checkpoints);
DELETE FROM retention.evidence e USING retention.evidence_leaves l
WHERE l.entry_id = e.entry_id AND l.leaf >= (SELECT max(size) FROM retention.checkpoints);
DELETE FROM retention.evidence_leaves WHERE leaf >= (SELECT max(size) FROM retention.checkpoints);
UPDATE retention.cancellations
SET state = 'rejected', resolved_as = NULL, resolved_by = NULL, resolved_note = NULL, resolved_at = NULL,
    resolved_from = NULL
WHERE round_id = 'R-2';
"""
"""Takes the newest decision back, with all that was recorded of it."""


def _fork(connection: psycopg.Connection[Any]) -> None:
    """Take the newest decision back, and decide otherwise, with evidence and checkpoints as the program makes them."""
    connection.execute(_REWIND.encode())
    connection.execute("UPDATE retention.cancellations SET detail = 'another' WHERE round_id = 'R-2'")
    record_rows(connection, "resolved")
    place_entries(connection)


def _longer_fork(connection: psycopg.Connection[Any]) -> None:
    _fork(connection)
    connection.execute("UPDATE retention.pauses SET resumed_by = 'eve', resumed_at = now() WHERE resumed_at IS NULL")
    record_rows(connection, "resumed")
    place_entries(connection)


def _forged_entry(connection: psycopg.Connection[Any]) -> None:
    connection.execute(_FORGED_ROW.format(run=HALTED).encode())
    record_rows(connection, "settled")
    connection.execute("UPDATE retention.evidence SET body = 'settled' WHERE entry_id = 1")


def _settle_again(connection: psycopg.Connection[Any]) -> None:
    connection.execute("UPDATE retention.cancellations SET amount = 15 WHERE round_id = 'R-1'")
    record_rows(connection, "settled")
    place_entries(connection)


def _replaced(connection: psycopg.Connection[Any]) -> None:
    """Drop everything, and begin a new history under the same name."""
    connection.execute(_ALL.encode())
    for nth in range(12):
        connection.execute(
            "INSERT INTO retention.holds (market, reason, created_by) VALUES ('MT', %s, 'ann')", [f"hold {nth}"]
        )
        record_rows(connection, "hold_added")
        place_entries(connection)


_TIME = "now() - interval '1 year'"
ENTRIES = "DELETE FROM retention.evidence WHERE entry_id {which};"
LEAVES = "DELETE FROM retention.evidence_leaves WHERE leaf {which};"
CHECKPOINTS = "DELETE FROM retention.checkpoints WHERE checkpoint_id {which};"

TAMPERINGS = (
    _seen("the first entry is deleted", ENTRIES.format(which="= 1"), "entry_missing", "row_unrecorded"),
    _seen("a middle entry is deleted", ENTRIES.format(which="= 6"), "entry_missing", "row_unrecorded"),
    _seen(
        "the last entry is deleted",
        ENTRIES.format(which="= (SELECT max(entry_id) FROM retention.evidence)"),
        "entry_missing",
        "row_changed",
    ),
    _seen("all newer entries are deleted", ENTRIES.format(which="> 7"), "entry_missing", "row_unrecorded", "row_changed"),
    _seen("the first leaf is deleted", LEAVES.format(which="= 0"), "tree"),
    _seen("a middle leaf is deleted", LEAVES.format(which="= 5"), "tree"),
    _seen(
        "the last leaf is deleted",
        LEAVES.format(which="= (SELECT max(leaf) FROM retention.evidence_leaves)"),
        "tree", more=("anchor_missing",)),
    _seen("all newer leaves are deleted", LEAVES.format(which="> 6"), "tree", more=("anchor_missing",)),
    _seen(
        "a middle entry is deleted with its leaf",
        ENTRIES.format(which="= 6") + LEAVES.format(which="= 5"),
        "tree",
        "row_unrecorded",
    ),
    _seen(
        "a middle entry and its leaf are deleted, and the places are given anew",
        ENTRIES.format(which="= 6")
        + LEAVES.format(which="= 5")
        + "UPDATE retention.evidence_leaves SET leaf = leaf + 1000 WHERE leaf > 5;"
        "UPDATE retention.evidence_leaves SET leaf = leaf - 1001 WHERE leaf > 1000;",
        "tree",
        "root",
        "row_unrecorded", more=("anchor_differs", "anchor_missing")),
    _anchored("the first checkpoint is deleted", CHECKPOINTS.format(which="= 1"), "checkpoint_missing"),
    _anchored("a middle checkpoint is deleted", CHECKPOINTS.format(which="= 2"), "checkpoint_missing"),
    _seen("the last checkpoint is deleted", CHECKPOINTS.format(which="= 3"), "checkpoint_missing"),
    _seen("all checkpoints are deleted", CHECKPOINTS.format(which="> 0"), "checkpoint_missing"),
    _seen("a checkpoint's root is changed", "UPDATE retention.checkpoints SET root = encode(sha256(convert_to(root, 'UTF8')), 'base64') WHERE checkpoint_id = 2", "root", more=("checkpoint_missing",)),
    _seen("a checkpoint's size is changed", "UPDATE retention.checkpoints SET size = size - 1 WHERE checkpoint_id = 2", "root", more=("checkpoint_missing",)),
    _seen("a checkpoint's frontier is changed", "UPDATE retention.checkpoints SET frontier = frontier[2:] WHERE checkpoint_id = 3", "checkpoint_changed"),
    _seen("a checkpoint's frontier is cut elsewhere", "UPDATE retention.checkpoints SET frontier = ARRAY[substr(frontier[1], 1, 9), substr(frontier[1], 10) || frontier[2]] WHERE checkpoint_id = 3", "checkpoint_changed"),
    _seen("an older checkpoint is added", "INSERT INTO retention.checkpoints (size, root, frontier, server) SELECT size, root, frontier, server FROM retention.checkpoints WHERE checkpoint_id = 1", "checkpoint_changed"),
    _seen("a row is inserted", _FORGED_ROW.format(run=HALTED), "row_unrecorded"),
    _seen("a run and a hold of a time before the ledger are inserted", f"INSERT INTO retention.runs (run_id, policy, trigger, mode, as_of, requested_by, settings, status, finished_at)"
          f" VALUES (gen_random_uuid(), 'nightly', 'on_demand', 'enforce', {_TIME}, 'ann', '{{}}', 'finished', {_TIME});"
          f"INSERT INTO retention.holds (market, reason, created_by, created_at) VALUES ('MT', 'complaint', 'ann', {_TIME})", "row_unrecorded"),
    _seen("a row is inserted, and the ledger's key says that evidence began later", "UPDATE retention.ledger_key SET kept_since = 'infinity';" + _FORGED_ROW.format(run=HALTED), "row_unrecorded"),
    _seen("a time that never was becomes an endless one", f"UPDATE retention.runs SET rejected_at = 'infinity' WHERE run_id = '{NIGHTLY}'", "row_changed"),
    _seen("a time moves to the same day before Christ", "UPDATE retention.cancellations SET opened_at = (to_char(opened_at, 'YYYY-MM-DD HH24:MI:SS.USOF') || ' BC')::timestamptz WHERE round_id = 'R-1'", "row_changed"),
    _seen("a row is deleted", "DELETE FROM retention.cancellations WHERE round_id = 'R-3'", "row_missing"),
    _seen("a request is inserted", "INSERT INTO retention.attempts (uuid, cancellation_id, run_id, kind, replica, claimed_at)"
          " SELECT gen_random_uuid(), id, run_id, 'cancel', 'x', now() - interval '2 hours' FROM retention.cancellations WHERE round_id = 'R-1'", "attempt_unclaimed"),
    _seen("a request's outcome is deleted", "UPDATE retention.attempts SET outcome = NULL, sent_at = NULL, replied_at = NULL, http_status = NULL, claimed_at = now()", "row_changed"),
    _seen("a settled row is made unsettled", "UPDATE retention.cancellations SET state = 'planned', settled_at = NULL, attempts = 0 WHERE round_id = 'R-4'", "row_changed"),
    _seen("a run is deleted with its rows", _WITHOUT_RUN.format(run=NIGHTLY), "row_missing"),
    _seen("a run is deleted with its rows and its entries", _WITHOUT_RUN.format(run=NIGHTLY) + f"DELETE FROM retention.evidence WHERE run_id = '{NIGHTLY}'", "entry_missing"),
    _seen("an entry is inserted", "INSERT INTO retention.evidence (kind, body) SELECT kind, body FROM retention.evidence WHERE entry_id = 12", "entry_columns"),
    _seen("an entry is inserted without a form", "INSERT INTO retention.evidence (kind, body) VALUES ('settled', 'no entry')", "entry_unreadable"),
    _seen("an entry is inserted that is too deep to be read", "INSERT INTO retention.evidence (kind, body) VALUES ('settled', repeat('[', 100000))", "entry_unreadable"),
    _seen("an entry's text is changed", "UPDATE retention.evidence SET body = replace(body, 'resolved', 'accepted')", "entry_changed", "entry_columns"),
    _seen("an entry's columns are changed", "UPDATE retention.evidence SET replica = 'host-2' WHERE entry_id = 5", "entry_columns"),
    _seen("two entries are exchanged", "UPDATE retention.evidence e SET body = o.body FROM retention.evidence o WHERE (e.entry_id, o.entry_id) IN ((5, 6), (6, 5))", "entry_changed", "entry_columns"),
    _seen("two entries exchange their places", "UPDATE retention.evidence_leaves l SET entry_id = -l.entry_id WHERE entry_id IN (5, 6); UPDATE retention.evidence_leaves l SET entry_id = 11 + l.entry_id WHERE entry_id < 0", "entry_changed"),
    _seen("an entry's text and its leaf are rewritten", "UPDATE retention.evidence SET body = replace(body, '\"login\"', '\"Login\"') WHERE entry_id = 6;" + _LEAF_AGAIN, "root", more=("anchor_differs",)),
    _seen("a leaf's hash is changed", "UPDATE retention.evidence_leaves SET hash = sha256(hash) WHERE leaf = 4", "entry_changed", "root", more=("anchor_differs",)),
    _seen("a leaf's hash is deleted", "ALTER TABLE retention.evidence_leaves ALTER hash DROP NOT NULL; UPDATE retention.evidence_leaves SET hash = NULL WHERE leaf = 4", "entry_changed", "root", more=("anchor_differs",)),
    _seen("an old entry loses its place", f"{LEAVES.format(which='= 11')} UPDATE retention.checkpoints SET at = at + interval '1 hour'", "tree", "entry_unplaced", more=("anchor_missing",)),
    _seen("a row is rewritten, and settled once more with evidence", _settle_again, "settled_twice"),
    _seen("a forged row comes with evidence, and an older entry is destroyed", _forged_entry, "entry_changed", "entry_unreadable", "row_unrecorded"),
    _seen("the ledger's key is deleted", "DELETE FROM retention.ledger_key", "key_missing"),
    _seen("the ledger's name is deleted", "ALTER TABLE retention.ledger_key ALTER origin DROP NOT NULL; UPDATE retention.ledger_key SET origin = NULL", "key_missing"),
    _seen("the ledger's key is changed", "UPDATE retention.ledger_key SET inner_pad = outer_pad", "row_changed"),
    _anchored("a row and every hash and root above it are rewritten", _rewrite_all, "anchor_differs"),
    _anchored("the newest rows, entries and checkpoints are dropped together", _REWIND, "anchor_missing"),
    _anchored("an older copy is restored, and work goes on", _fork, "anchor_differs"),
    _anchored("two histories grow from one copy", _longer_fork, "anchor_differs"),
    _anchored("all of it is deleted", _ALL, "anchor_missing"),
    _anchored("all of it is replaced by another history", _replaced, "anchor_differs"),
    _anchored("the ledger gets another name", "UPDATE retention.ledger_key SET origin = 'retention/' || gen_random_uuid()", "anchor_foreign"),
)  # fmt: skip

COLUMNS = {
    ("run", f"run_id = '{NIGHTLY}'"): {
        "run_id": "gen_random_uuid()",
        "policy": "'Nightly'",
        "trigger": "'on_demand', scheduled_for = NULL",
        "mode": "'dry_run'",
        "scheduled_for": _TIME,
        "as_of": "now()",
        "requested_by": "'Ann'",
        "requested_login": "'bob_login'",
        "reason": "'Quarterly'",
        "evidence": "NULL",
        "settings": "settings || '{\"max_rounds\": 11}'",
        "overrides": "'[]'",
        "status": "'cancelled'",
        "halt_reason": "'none'",
        "started_at": _TIME,
        "finished_at": _TIME,
        "plan_digest": "repeat('ba', 32)",
        "approved_by": "'eve'",
        "approved_at": _TIME,
        "approved_login": "'eve_login'",
        "approval_expires_at": _TIME,
        "approval_used_at": "NULL",
        "rejected_by": "'eve'",
        "rejected_at": _TIME,
        "decision_note": "'Looked at'",
    },
    ("cancellation", "round_id = 'R-1'"): {
        "id": "DEFAULT",
        "run_id": f"'{HALTED}'",
        "partner": "'beta'",
        "market": "'SE'",
        "game_id": "NULL",
        "user_id": "'U-2'",
        "round_id": "'r-1'",
        "opened_at": "opened_at + interval '1 microsecond'",
        "stake": "1.500000000000000001",
        "stake_currency": "'SEK'",
        "bet_transaction_id": "'bet-2'",
        "state": "'already_cancelled'",
        "error_code": "'1'",
        "description": "'Ok'",
        "currency": "'SEK'",
        "amount": "1.500000000000000001",
        "transaction_id": "'T-2'",
        "conflict": "false",
        "detail": "NULL",
        "settled_at": "settled_at + interval '1 microsecond'",
        "attempts": "2",
        "last_activity_at": _TIME,
        "winnings": "1.500000000000000001",
    },
    ("cancellation", "round_id = 'R-2'"): {
        "resolved_as": "'cancelled'",
        "resolved_by": "'Ann'",
        "resolved_note": "'Asked the vendor'",
        "resolved_at": _TIME,
    },
    ("attempt", "outcome = 'rejected'"): {
        "uuid": "gen_random_uuid()",
        "cancellation_id": "1",
        "run_id": f"'{HALTED}'",
        "kind": "'status'",
        "replica": "'host-2'",
        "claimed_at": _TIME,
        "sent_at": _TIME,
        "replied_at": "NULL",
        "http_status": "201",
        "error_code": "'7'",
        "outcome": "'cancelled'",
        "detail": "'As told'",
    },
    ("hold", "hold_id = 1"): {
        "hold_id": "DEFAULT",
        "partner": "NULL",
        "market": "'mt'",
        "game_id": "'g2'",
        "user_id": "'U-5'",
        "round_id": "'R-5'",
        "reason": "'Complaint'",
        "created_by": "'Ann'",
        "created_at": _TIME,
        "until": "'infinity'",
        "released_at": _TIME,
        "released_by": "'ann'",
    },
    ("pause", "pause_id = 1"): {
        "pause_id": "DEFAULT",
        "partner": "'Acme'",
        "reason": "'vendor up'",
        "paused_by": "'bob'",
        "paused_at": _TIME,
        "resumed_by": "'ann'",
        "resumed_at": _TIME,
    },
}
"""For each covered column of a subject, another value of one row."""


def covered_columns(subject: str) -> set[str]:
    """The columns of a subject's table that its hash has."""
    text = fragment(f"shared/{subject}_text.sql").partition("to_json")[2]
    return set(re.findall(rf"\b{subject[0]}\.(\w+)", text))


def listed() -> str:
    """The table for people: each falsification, and how it is named with anchors and without."""
    rows = [("falsification", "`audit verify --anchors`", "without anchors"), ("---", "---", "---")]
    rows += [
        ("a value of a covered column is changed", "`row_changed`, or `row_missing` for its key", "the same"),
        *(
            (one.name, _kinds(one.found), "the same" if one.found == one.alone else _kinds(one.alone) or "**not seen**")
            for one in TAMPERINGS
        ),
    ]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def filled(page: str) -> str:
    """The page with the table between its two marks."""
    end = f"{MARK}\n"
    before, _, rest = page.partition(end)
    return f"{before}{MARK}\n{listed()}{MARK}\n{rest.partition(end)[2]}"


def _kinds(kinds: frozenset[FindingKind]) -> str:
    return ", ".join(f"`{kind}`" for kind in FindingKind if kind in kinds)


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text("utf-8")), "utf-8")
