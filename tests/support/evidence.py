"""What the evidence of a ledger has to satisfy, checked with SQL and a naive tree: the product's own code is no judge."""

from __future__ import annotations

import json
from base64 import b64encode
from hashlib import sha256
from typing import TYPE_CHECKING

import psycopg

from support.evidence_writer import fragment

if TYPE_CHECKING:
    from collections.abc import Sequence

_LEAVES = (
    ("run", "r.run_id::text", "retention.runs r", "true"),
    ("cancellation", "c.id::text", "retention.cancellations c", "c.settled_at IS NOT NULL"),
    ("attempt", "a.uuid::text", "retention.attempts a", "a.outcome IS NOT NULL"),
    ("hold", "h.hold_id::text", "retention.holds h", "true"),
    ("pause", "p.pause_id::text", "retention.pauses p", "true"),
)
"""Subject, id, table, and which of its rows the evidence covers."""


def unproven_rows(dsn: str) -> list[str]:
    """The covered rows whose newest evidence is missing or of another state, as `subject id: problem`."""
    with psycopg.connect(dsn) as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        newest: dict[tuple[str, str], str] = {}
        for (body,) in connection.execute("SELECT body FROM retention.evidence ORDER BY entry_id"):
            for subject, hashes in json.loads(body)["rows"].items():
                newest |= {(subject, number): value for number, value in hashes.items()}
        found = []
        for subject, number, table, covered in _LEAVES:
            rows = connection.execute(
                f"SELECT {number}, {_leaf(subject)} FROM {table}, retention.ledger_key k WHERE {covered}".encode()
            )
            for row, value in rows:
                recorded = newest.pop((subject, row), None)
                if recorded != value:
                    found.append(f"{subject} {row}: {'no evidence' if recorded is None else 'changed since'}")
        return found + [f"{subject} {row}: is gone" for subject, row in newest if not _left(subject)]


def tree_problems(dsn: str) -> list[str]:
    """What is wrong with the places of the entries and with the checkpoints."""
    with psycopg.connect(dsn) as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        bodies: dict[int, str] = dict(connection.execute("SELECT entry_id, body FROM retention.evidence").fetchall())
        leaves = connection.execute(
            "SELECT leaf, entry_id, hash FROM retention.evidence_leaves ORDER BY leaf"
        ).fetchall()
        checkpoints = connection.execute(
            "SELECT checkpoint_id, size, root FROM retention.checkpoints ORDER BY checkpoint_id"
        ).fetchall()
    found = [] if [*range(len(leaves))] == [leaf for leaf, _, _ in leaves] else ["the places have gaps"]
    placed = [entry for _, entry, _ in leaves]
    if len(set(placed)) != len(placed) or not set(placed) <= bodies.keys():
        found.append("an entry has two places, or is gone")
    found += [
        f"leaf {leaf} is not the hash of its entry"
        for leaf, entry, value in leaves
        if value != sha256(b"\x00" + bodies.get(entry, "").encode()).digest()
    ]
    sizes = [size for _, size, _ in checkpoints]
    if sizes != sorted(set(sizes)):
        found.append(f"the sizes of the checkpoints do not grow: {sizes}")
    if sizes and sizes[-1] != len(leaves):
        found.append(f"{len(leaves)} places, and {sizes[-1]} in the newest checkpoint")
    hashes = [value for _, _, value in leaves]
    return found + [
        f"the root of checkpoint {number} is another"
        for number, size, root in checkpoints
        if root != b64encode(naive_root(hashes[:size])).decode()
    ]


def unplaced_entries(dsn: str) -> int:
    """How many entries have no place."""
    with psycopg.connect(dsn) as connection:
        row = connection.execute(
            "SELECT count(*) FROM retention.evidence WHERE entry_id NOT IN (SELECT entry_id FROM retention.evidence_leaves)"
        ).fetchone()
    assert row is not None
    return int(row[0])


def naive_root(leaves: Sequence[bytes]) -> bytes:
    """The root by the definition of RFC 6962."""
    if len(leaves) < 2:
        return leaves[0] if leaves else sha256(b"").digest()
    half = 1 << (len(leaves) - 1).bit_length() - 1
    return sha256(b"\x01" + naive_root(leaves[:half]) + naive_root(leaves[half:])).digest()


def _leaf(subject: str) -> str:
    """The fragment that hashes a row of this subject."""
    return fragment(f"shared/{subject}_leaf.sql")


def _left(subject: str) -> bool:
    """Whether rows of this subject may be covered no longer: a doubt that is adopted again is settled no more."""
    return subject == "cancellation"
