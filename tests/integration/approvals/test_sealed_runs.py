"""The job's own login, in plain SQL: it forges no approval, adds no round to a sealed plan, and starts no run without."""

from __future__ import annotations

import hashlib
import json
import threading
import time
import uuid
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from support.bare_database import run
from support.role_database import guarded_database, logged_in, tried

if TYPE_CHECKING:
    from collections.abc import Iterator

DENIED, REFUSED = "42501", "RT002"

WAITS, GOES_ON, FREE, ROUND = (str(uuid.UUID(int=number)) for number in (1, 2, 3, 4))

_SETTINGS = '{"requires_approval": true, "approval_expires": "24h"}'

SEED = f"""
INSERT INTO retention.runs (run_id, policy, trigger, mode, as_of, requested_by, settings, status, started_at)
VALUES ('{WAITS}', 'nightly', 'on_demand', 'enforce', '2025-03-05 03:00+00', 'ann', '{_SETTINGS}', 'planned', NULL),
       ('{FREE}', 'other', 'on_demand', 'enforce', '2025-03-05 03:00+00', 'ann', '{{}}', 'running', now());
INSERT INTO retention.cancellations (run_id, partner, market, user_id, round_id, opened_at, stake, stake_currency)
VALUES ('{WAITS}', 'acme', 'MT', 'U-1', 'R-2', now() - interval '5 days', 1.5, 'EUR'),
       ('{WAITS}', 'acme', 'MT', 'U-1', 'R-1', now() - interval '5 days', NULL, NULL);
SELECT retention.seal_plan('{WAITS}');
UPDATE retention.runs SET status = 'awaiting_approval' WHERE run_id = '{WAITS}';
"""

ADD = (
    "INSERT INTO retention.cancellations (run_id, partner, market, user_id, round_id, opened_at)"
    f" VALUES ('{WAITS}', 'acme', 'MT', 'U-9', 'R-9', now())"
)

START = f"UPDATE retention.runs SET status = 'running', started_at = now() WHERE run_id = '{WAITS}'"

APPROVE = f"SELECT verdict FROM retention.approve_run('{WAITS}', 'bob', (SELECT plan_digest FROM retention.runs WHERE run_id = '{WAITS}'), NULL)"

END = f"UPDATE retention.runs SET status = 'finished', finished_at = now() WHERE run_id = '{WAITS}'"

BORN_RUNNING = (
    "INSERT INTO retention.runs (run_id, policy, trigger, mode, as_of, requested_by, settings, status, started_at)"
    f" VALUES (gen_random_uuid(), 'n', 'on_demand', 'enforce', now(), 'ann', '{_SETTINGS}', 'running', now())"
)

FORGED = [
    ("a start", START, REFUSED),
    ("a start in two steps", f"UPDATE retention.runs SET status = 'halted', halt_reason = 'x'; {START}", REFUSED),
    *(
        (f"a change of {column}", f"UPDATE retention.runs SET {column} = {column} WHERE run_id = '{WAITS}'", DENIED)
        for column in (
            *("approved_by", "approved_at", "approved_login", "approval_expires_at", "approval_used_at", "plan_digest"),
            *("settings", "as_of", "requested_by", "requested_login", "rejected_by", "rejected_at", "decision_note"),
        )
    ),
    (
        "a run that is born running",
        BORN_RUNNING,
        REFUSED,
    ),
    ("a round more before the start", ADD, REFUSED),
    ("a round more after the approval", f"{APPROVE}; {ADD}", REFUSED),
    ("a round more after the start", f"{APPROVE}; {START}; {ADD}", REFUSED),
    (
        "a round that a sealed plan adopts",
        f"{ADD.replace(WAITS, FREE)}; UPDATE retention.cancellations SET adopted_by_run = '{WAITS}' WHERE run_id = '{FREE}'",
        REFUSED,
    ),
    ("a round that another run adopts", f"UPDATE retention.cancellations SET adopted_by_run = '{FREE}'", REFUSED),
    (
        "a round that is born adopted",
        ADD.replace(") VALUES", ", adopted_by_run) VALUES").replace("now())", f"now(), '{FREE}')"),
        DENIED,
    ),
    (
        "a second start of a run that is over",
        f"{APPROVE}; {START}; {END}; {START.replace('started_at = now()', 'finished_at = NULL')}",
        REFUSED,
    ),
    ("another round in the plan", "UPDATE retention.cancellations SET round_id = 'R-9' WHERE round_id = 'R-1'", DENIED),
    (
        "a sealed plan that is not written any more",
        f"UPDATE retention.runs SET unwritten_plan = '{{}}' WHERE run_id = '{WAITS}'",
        "23514",
    ),
    ("the guard's absence", "ALTER TABLE retention.runs DISABLE TRIGGER runs_guard_start", DENIED),
    ("the guard's silence", "SET session_replication_role = replica", DENIED),
    ("the guard's replacement", "DROP FUNCTION retention.guard_start() CASCADE", DENIED),
    *(
        (f"a call of {call}", f"SELECT retention.{call}", DENIED)
        for call in (f"plan_digest('{WAITS}')", "fold_name('x')", "requires_approval('{}')", "code_points('x')")
    ),
]


UNSEALED = (
    "INSERT INTO retention.runs (run_id, policy, trigger, mode, as_of, requested_by, settings, status)"
    f" VALUES ('{GOES_ON}', 'nightly', 'on_demand', 'enforce', now(), 'ann', '{_SETTINGS}', 'planned')"
)

BLOCKED = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"

SEALED = (
    "SELECT plan_digest = retention.plan_digest(run_id), (SELECT count(*) FROM retention.cancellations c"
    f" WHERE c.run_id = r.run_id) FROM retention.runs r WHERE run_id = '{GOES_ON}'"
)


@pytest.fixture(scope="module")
def owned(postgres: str) -> Iterator[str]:
    """Yield the owner's DSN of a ledger with a run that waits, and one that goes on and needs no approval."""
    with guarded_database(postgres) as dsn:
        run(dsn, SEED)
        yield dsn


@pytest.mark.parametrize(("statement", "state"), [row[1:] for row in FORGED], ids=[row[0] for row in FORGED])
def test_the_job_forges_nothing(owned: str, statement: str, state: str) -> None:
    """Each statement that would start a run without its approval, or change an approved plan, is refused."""
    with logged_in(owned, "retention_job") as connection:
        assert state == tried(connection, *statement.split("; "))[0]


@pytest.mark.parametrize(
    "setting", ["search_path = pg_temp, retention", "timezone = 'Asia/Tokyo'", "datestyle = 'German'"]
)
def test_a_sessions_settings_change_no_verdict(owned: str, setting: str) -> None:
    """Functions of a session that hide the server's, and other formats of times, change neither digest nor gate."""
    hidden = "CREATE FUNCTION pg_temp.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS 'SELECT ''-infinity''::timestamptz'"
    with logged_in(owned, "retention_job") as connection:
        assert ("", "") == tried(connection, hidden, f"SET LOCAL {setting}", APPROVE, START)
        assert REFUSED == tried(connection, hidden, f"SET LOCAL {setting}", START)[0]


def test_an_approval_lets_the_same_login_start_the_run(owned: str) -> None:
    """The refusals above are the approval's: with one that counts, the same statements succeed."""
    with logged_in(owned, "retention_job") as connection:
        assert ("", "") == tried(connection, APPROVE, START)


def test_the_digest_is_over_settings_time_and_rows(owned: str) -> None:
    """The digest can be computed anew by anybody who reads the ledger, from the texts of the frozen plan."""
    ((settings, digest),) = run(
        owned, f"SELECT settings::text, plan_digest FROM retention.runs WHERE run_id = '{WAITS}'"
    )
    rows = [["acme", "R-1", "U-1", None, None, None], ["acme", "R-2", "U-1", None, "1.500000000000000000", "EUR"]]
    lines = "\n".join(json.dumps(row, separators=(",", ":")) for row in rows)
    part = hashlib.sha256(lines.encode()).digest()
    whole = ["plan", "1", settings, "2025-03-05T03:00:00.000000Z", hashlib.sha256(part).hexdigest()]
    text = json.dumps(whole, separators=(",", ":"), ensure_ascii=False)
    assert hashlib.sha256(text.encode()).hexdigest() == digest


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE retention.runs SET settings = settings || '{\"max_rounds\": 9}'",
        "UPDATE retention.runs SET as_of = as_of + interval '1 microsecond'",
        "UPDATE retention.cancellations SET partner = 'beta' WHERE round_id = 'R-1'",
        "UPDATE retention.cancellations SET round_id = 'R-3' WHERE round_id = 'R-1'",
        "UPDATE retention.cancellations SET user_id = 'pseudonym:AAAAAAAAAAAAAAAAAAAAAA' WHERE round_id = 'R-1'",
        "UPDATE retention.cancellations SET game_id = 'g' WHERE round_id = 'R-1'",
        "UPDATE retention.cancellations SET stake = 0 WHERE round_id = 'R-1'",
        "UPDATE retention.cancellations SET stake_currency = 'SEK' WHERE round_id = 'R-2'",
        "DELETE FROM retention.cancellations WHERE round_id = 'R-1'",
        ADD,
    ],
)
def test_each_change_by_an_owner_is_another_plan(owned: str, change: str) -> None:
    """An owner's change of any approved value is refused at the approval, and at the start after one."""
    with psycopg.connect(owned) as connection:
        before, after = tried(connection, APPROVE, change, START), None
        connection.execute(change.encode())
        row: Any = connection.execute(APPROVE.encode()).fetchone()
        after = row[0]
        connection.rollback()
    assert (REFUSED, "plan_changed") == (before[0], after)


def test_the_seal_waits_for_rows_that_are_being_added(owned: str) -> None:
    """A row of a transaction that is still open is in the digest: the seal waits for it. Later rows are refused, also
    by a transaction that began before the seal.
    """
    run(owned, UNSEALED)
    add = ADD.replace(WAITS, GOES_ON)
    with logged_in(owned, "retention_job") as early, logged_in(owned, "retention_job") as old:
        early.execute(add.encode())
        old.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        old.execute("SELECT FROM retention.runs")
        seal = threading.Thread(target=run, args=(owned, f"SELECT retention.seal_plan('{GOES_ON}')"), daemon=True)
        seal.start()
        while seal.is_alive() and not run(owned, BLOCKED):
            time.sleep(0.01)
        assert seal.is_alive()
        early.commit()
        seal.join()
        late = tried(old, add.replace("R-9", "R-8"))[0]
    assert late in {REFUSED, "40001"}
    assert [(True, 1)] == run(owned, SEALED)
