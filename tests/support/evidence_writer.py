"""Evidence in bulk, as the statements of a run would have written it: for tests and benchmarks with rows of their own."""

from __future__ import annotations

import re
from base64 import b64encode
from typing import TYPE_CHECKING, Any

from retention.core.evidence.merkle import Frontier
from retention.ledger.queries import sql_root

if TYPE_CHECKING:
    from collections.abc import Sequence

    import psycopg

COVERED = {
    "run": ("retention.runs r", "r.run_id", "r.run_id", "true"),
    "cancellation": ("retention.cancellations c", "c.id", "c.run_id", "c.settled_at IS NOT NULL"),
    "attempt": ("retention.attempts a", "a.uuid", "a.run_id", "a.outcome IS NOT NULL"),
    "hold": ("retention.holds h", "h.hold_id", "NULL::uuid", "true"),
    "pause": ("retention.pauses p", "p.pause_id", "NULL::uuid", "true"),
}
"""Each subject's table, id, run, and which of its rows are covered."""

_INCLUDE = re.compile(r"^ *-- include (\S+)$", re.MULTILINE)


def fragment(name: str) -> str:
    """A fragment of sql/queries/shared/, its own fragments within it."""
    text = (sql_root() / "queries" / name).read_text("utf-8")
    return _INCLUDE.sub(lambda line: fragment(line[1]), text)


def record_rows(
    connection: psycopg.Connection[Any], kind: str = "settled", *, subjects: Sequence[str] = (), batch: int = 100
) -> int:
    """Write entries for all covered rows whose newest hash differs, at most `batch` rows of a subject in each.

    Returns how many entries were written.
    """
    written = 0
    for subject in subjects or COVERED:
        table, key, run, covered = COVERED[subject]
        # An entry of one subject and of one run; the newest hash decides whether a row has to be recorded.
        statement = f"""
        WITH rows AS (
            SELECT {key}::text AS id, {run} AS run_id, {fragment(f"shared/{subject}_leaf.sql")} AS hash
            FROM {table}, retention.ledger_key k WHERE {covered}
        ), known AS (
            SELECT DISTINCT ON (h.id) h.id, h.hash
            FROM retention.evidence e, json_each_text(e.body::json -> 'rows' -> %(subject)s) AS h (id, hash)
            ORDER BY h.id, e.entry_id DESC
        ), fresh AS (
            SELECT r.*, (row_number() OVER (PARTITION BY r.run_id ORDER BY r.id) - 1) / %(batch)s AS nth
            FROM rows r LEFT JOIN known n ON n.id = r.id WHERE n.hash IS DISTINCT FROM r.hash
        )
        INSERT INTO retention.evidence (run_id, replica, kind, body)
        SELECT run_id, 'host-1', %(kind)s, json_build_object(
            'v', 1, 'kind', %(kind)s::text,
            'at', to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
            'run', run_id, 'replica', 'host-1', 'login', session_user, 'facts', NULL,
            'rows', json_build_object(%(subject)s::text, json_object_agg(id, hash ORDER BY id)))::text
        FROM fresh GROUP BY run_id, nth ORDER BY nth
        """
        values = {"subject": subject, "kind": kind, "batch": batch}
        written += connection.execute(statement.encode(), values).rowcount
    return written


def place_entries(connection: psycopg.Connection[Any]) -> tuple[int, str]:
    """Give the entries without a place one, and make a checkpoint of all; returns its size and root."""
    ((size,),) = connection.execute("SELECT count(*) FROM retention.evidence_leaves").fetchall()
    connection.execute(
        "INSERT INTO retention.evidence_leaves (leaf, entry_id, hash)"
        " SELECT %s + row_number() OVER (ORDER BY entry_id) - 1, entry_id,"
        " sha256('\\x00'::bytea || convert_to(body, 'UTF8')) FROM retention.evidence e"
        " WHERE NOT EXISTS (SELECT FROM retention.evidence_leaves l WHERE l.entry_id = e.entry_id)",
        [size],
    )
    return checkpoint(connection)


def checkpoint(connection: psycopg.Connection[Any]) -> tuple[int, str]:
    """Make a checkpoint of the leaves as they are; returns its size and root."""
    leaves = connection.execute("SELECT hash FROM retention.evidence_leaves ORDER BY leaf").fetchall()
    tree = Frontier().extended(leaf for (leaf,) in leaves)
    root = b64encode(tree.root()).decode()
    connection.execute(
        "INSERT INTO retention.checkpoints (size, root, frontier, server)"
        " SELECT %s, %s, %s, system_identifier FROM pg_control_system()",
        [tree.size, root, [*tree.hashes]],
    )
    return tree.size, root
