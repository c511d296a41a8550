"""The size of the ledger, counted and estimated."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import psycopg

from retention.ledger.evidence import Evidence
from retention.ledger.holds import Holds
from retention.reports.ledger_status import Month, count_states, read_ledger_status

if TYPE_CHECKING:
    from support.ledger import Book

    from retention.ledger.database import Database

OLDEST, NEWEST = datetime(2026, 1, 31, 23, 59, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)

_ROUND = dict.fromkeys(("partner", "market", "game", "user")) | {"round": "R-1"}


async def test_an_empty_ledger_has_a_size(database: Database) -> None:
    """A ledger without runs has its tables with their bytes, and nothing else."""
    status = await read_ledger_status(database)
    assert (0, None, {}, False, 0, None, []) == (
        *(status.runs, status.oldest_run, status.states, status.states_estimated, status.entries),
        *(status.checkpoint, status.months),
    )
    sizes = {one.table: one for one in status.tables}
    assert {"runs", "cancellations", "attempts", "holds", "evidence", "checkpoints"} <= sizes.keys()
    assert sum(one.bytes for one in status.tables) == status.bytes > 0
    assert all(one.bytes >= one.index_bytes >= 0 for one in status.tables)


async def test_runs_rounds_and_months_are_counted(database: Database, book: Book) -> None:
    """Runs have their span, rounds their states, and each month of UTC its runs and rounds with their size."""
    first = await book.run(as_of=OLDEST, planned_rounds=2)
    await book.row(first, "R-1")
    await book.row(first, "R-2", "rejected")
    await book.run(as_of=NEWEST, planned_rounds=0)
    await book.run(as_of=NEWEST)  # its plan is not written
    status = await read_ledger_status(database)
    assert (3, OLDEST, NEWEST) == (status.runs, status.oldest_run, status.newest_run)
    assert ({"cancelled": 1, "rejected": 1}, False) == (status.states, status.states_estimated)
    march, january = status.months
    assert Month("2026-03", 2, 0, 0) == march
    grown = {"cancellations", "attempts", "evidence", "evidence_leaves", "other_transactions", "findings"}
    size = sum(one.bytes for one in status.tables if one.table in grown)
    assert Month("2026-01", 1, 2, size) == january


async def test_entries_after_the_newest_checkpoint_are_unplaced(database: Database) -> None:
    """Evidence counts all its entries, and those that no checkpoint covers yet."""
    holds = Holds(database)
    await holds.add_hold(**_ROUND, reason="complaint", by="ann", until=None)
    checkpoint = await Evidence(database).make_checkpoint()
    assert checkpoint is not None
    await holds.add_hold(**_ROUND, reason="another", by="ann", until=None)
    status = await read_ledger_status(database)
    assert (2, 1) == (status.entries, status.unplaced)
    assert status.checkpoint is not None
    assert (checkpoint.checkpoint_id, 1, checkpoint.root) == (
        *(status.checkpoint.checkpoint_id, status.checkpoint.size, status.checkpoint.root),
    )


async def test_a_count_that_takes_too_long_is_estimated(database: Database, book: Book, direct_dsn: str) -> None:
    """Rounds that cannot be counted in time are told by the statistics of the catalogue, and named estimated."""
    run_id = await book.run(planned_rounds=300)
    await book.all(
        "INSERT INTO retention.cancellations (run_id, partner, market, user_id, round_id, opened_at)"
        " SELECT %s, 'acme', 'MT', 'U', 'R-' || i, now() FROM generate_series(1, 300) i",
        run_id,
    )
    await book.all("ANALYZE retention.cancellations")
    async with await psycopg.AsyncConnection.connect(direct_dsn) as other:
        await other.execute("LOCK TABLE retention.cancellations IN ACCESS EXCLUSIVE MODE")
        assert ({"planned": 300}, True) == await count_states(database)
