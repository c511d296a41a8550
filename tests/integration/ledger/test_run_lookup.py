"""Runs are found by the first digits of their ids, with the ledger's index."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from retention.core.runs.run_ids import parse_run_id
from retention.ledger.queries import query
from retention.ledger.runs import RunLedger

if TYPE_CHECKING:
    from support.ledger import Book

    from retention.ledger.database import Database

MANY = """
INSERT INTO retention.runs (run_id, policy, trigger, mode, as_of, requested_by, settings, status, finished_at)
SELECT md5(i::text)::uuid, 'nightly', 'on_demand', 'enforce', now(), 'ann', '{}', 'finished', now()
FROM generate_series(1, 5000) i
"""
FIRST = UUID("c4ca4238-a0b9-2382-0dcc-509a6f75849b")
"""The md5 of 1."""


async def test_run_prefix_is_found_by_index(database: Database, book: Book) -> None:
    """Among thousands of runs, both statements find their runs without a sequential scan."""
    await book.all(MANY)
    await book.all("ANALYZE retention.runs")
    ledger = RunLedger(database)
    given = parse_run_id("c4ca4238")
    assert [FIRST] == [row.run_id for row in await ledger.find_runs_by_prefix(given)]
    assert [] == await ledger.find_runs_by_prefix(parse_run_id("00000000"))
    assert {FIRST: 8} == await ledger.count_telling_digits([FIRST])
    await book.run(run_id="c4ca4238-a1b9-2382-0dcc-509a6f75849b")
    assert {FIRST: 10} == await ledger.count_telling_digits([FIRST])
    assert 2 == len(await ledger.find_runs_by_prefix(given))
    values = {"lowest": given.lowest, "highest": given.highest, "limit": 10, "run_ids": [FIRST]}
    async with database.connection() as connection:
        for name in ("runs/find_runs_by_prefix", "runs/find_neighbouring_runs"):
            cursor = await connection.execute("EXPLAIN " + query(name), values)
            plan = "\n".join(row[0] for row in await cursor.fetchall())
            assert "Seq Scan on runs" not in plan, plan
            assert "runs_pkey" in plan, plan
