"""The ledger's months: partitions are made ahead, ids tell their month, and a round has one holder over all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest
import structlog
from structlog.testing import LogCapture
from support.bare_database import run, sample
from support.ledger import Book
from support.role_database import guarded_database, logged_in, tried

from retention.ledger.months import begin_month, check_months

if TYPE_CHECKING:
    from retention.ledger.database import Database

THIS_MONTH = "to_char(statement_timestamp() AT TIME ZONE 'UTC', 'YYYY_MM')"


@pytest.fixture
def log() -> LogCapture:
    """What is logged."""
    return LogCapture()


async def _begin(database: Database, log: LogCapture) -> None:
    await begin_month(database, structlog.wrap_logger(None, [log]))


ROOTS = ("cancellations", "attempts", "evidence")

DROPPED = "DROP TABLE retention.{0}_{1}"
DETACHED = "ALTER TABLE retention.{0} DETACH PARTITION retention.{0}_{1}"
FOREIGN = f"{DROPPED}; CREATE TABLE retention.{{0}}_{{1}} (mine text)"


async def _in_old_month(book: Book, lost: str = DROPPED, roots: tuple[str, ...] = ROOTS) -> None:
    """Go back to a month ten years ago, whose partitions are there, and lose some of this month's."""
    await book.all("SELECT retention.make_months('2016-10-01')")
    await book.all("SELECT setval('retention.cancellations_id_seq', retention.first_id('2016-10-01'))")
    await book.all("SELECT setval('retention.evidence_entry_id_seq', retention.first_id('2016-10-01'))")
    ((month,),) = await book.all(f"SELECT {THIS_MONTH}")
    for root in roots:
        await book.all(lost.format(root, month))


async def test_a_row_stands_in_the_month_of_its_id(database: Database) -> None:
    """A new row's id begins with its month, and its partition is that month's."""
    book = Book(database)
    row = await book.row(await book.run())
    ((number, partition, month),) = await book.all(
        f"SELECT id, tableoid::regclass::text, {THIS_MONTH} FROM retention.cancellations WHERE id = %s", row
    )
    assert f"retention.cancellations_{month}" == partition
    assert month.replace("_", "") == str(number)[:6]


async def test_a_missing_month_loses_nothing_and_is_made(database: Database, log: LogCapture) -> None:
    """While this month lacks its partitions rows stand in an earlier one and `check` warns; the next plan makes them."""
    book = Book(database)
    await _in_old_month(book)
    run_id = await book.run()
    before = await book.row(run_id, "R-1")
    warned = await check_months(database)
    await _begin(database, log)
    after = await book.row(run_id, "R-2")
    assert ("2016", True) == (str(before)[:4], warned.warning)
    assert "missing" in warned.message
    assert {"ledger.month_made"} == {entry["event"] for entry in log.entries}
    assert not (await check_months(database)).warning
    rows = await book.all(f"SELECT id, tableoid::regclass::text LIKE '%%' || {THIS_MONTH} FROM retention.cancellations")
    assert {(before, False), (after, True)} == {(number, here) for number, here in rows}


@pytest.mark.parametrize("lost", [DROPPED, DETACHED])
@pytest.mark.parametrize("root", ROOTS)
async def test_a_month_that_lacks_one_of_its_tables_is_made_whole(
    database: Database, log: LogCapture, root: str, lost: str
) -> None:
    """A month of which one table was dropped, or is no partition any more, is warned of and made whole."""
    book = Book(database)
    await _in_old_month(book, lost, (root,))
    warned = await check_months(database)
    await _begin(database, log)
    assert ("ledger.month_made", 1) == (log.entries[0]["event"], len(log.entries[0]["partitions"]))
    assert (True, False) == (warned.warning, (await check_months(database)).warning)
    run_id = await book.run()
    row = await book.row(run_id)
    await book.attempt(row, run_id)
    assert [(True,)] == await book.all(
        f"SELECT tableoid::regclass::text LIKE '%%' || {THIS_MONTH} FROM retention.attempts WHERE cancellation_id = %s",
        row,
    )


async def test_a_table_that_cannot_be_a_partition_defers_the_month(database: Database, log: LogCapture) -> None:
    """Where a person's own table has the name of a partition, plans go on in an earlier month, and the log says why."""
    book = Book(database)
    await _in_old_month(book, FOREIGN, ("attempts",))
    await _begin(database, log)
    assert ["ledger.month_deferred"] == [entry["event"] for entry in log.entries]
    assert "2016" == str(await book.row(await book.run()))[:4]
    assert (await check_months(database)).warning


async def test_a_later_month_that_cannot_be_made_does_not_defer_this_one(database: Database, log: LogCapture) -> None:
    """Ids move into a month that is whole, also where one of the next three cannot be made."""
    book = Book(database)
    await _in_old_month(book, roots=())
    ((later,),) = await book.all("SELECT to_char(statement_timestamp() + interval '2 months', 'YYYY_MM')")
    await book.all(FOREIGN.format("evidence", later))
    await _begin(database, log)
    ((month,),) = await book.all(f"SELECT {THIS_MONTH}")
    assert month.replace("_", "") == str(await book.row(await book.run()))[:6]


async def test_a_month_that_has_begun_is_left_alone(database: Database, log: LogCapture) -> None:
    """A second beginning of the month makes nothing and moves no id, so ids never go back."""
    book = Book(database)
    run_id = await book.run()
    numbers = []
    for name in ("R-1", "R-2", "R-3"):
        await _begin(database, log)
        numbers.append(await book.row(run_id, name))
    assert [] == log.entries
    assert [numbers[0], numbers[0] + 1, numbers[0] + 2] == numbers


async def test_a_locked_ledger_defers_the_month(database: Database, database_dsn: str, log: LogCapture) -> None:
    """A session that locks the runs lets no new partition be attached: the plan goes on after 2 s, and says so."""
    await _in_old_month(Book(database))
    with psycopg.connect(database_dsn) as other:
        other.execute("LOCK TABLE retention.runs IN SHARE MODE")
        other.execute("LOCK TABLE retention.cancellations IN SHARE MODE")
        await _begin(database, log)
    assert ["ledger.month_deferred"] == [entry["event"] for entry in log.entries]


@pytest.mark.parametrize(("ends_as", "planned"), [("rejected", True), ("cancelled", False), ("in_doubt", False)])
async def test_a_round_has_one_holder_over_all_months(
    database: Database, log: LogCapture, ends_as: str, planned: bool
) -> None:
    """A round that a row of an earlier month holds is not written again; one that it does not hold is."""
    book = Book(database)
    await _in_old_month(book)
    run_id = await book.run()
    await book.row(run_id, "R-1", ends_as)
    await _begin(database, log)
    written = await book.all(
        "INSERT INTO retention.cancellations (run_id, partner, market, user_id, round_id, opened_at)"
        " VALUES (%s, 'acme', 'MT', 'U-1', 'R-1', now()) RETURNING id",
        await book.run(),
    )
    assert planned is bool(written)


async def test_a_round_is_held_until_its_row_ends_or_is_gone(database: Database) -> None:
    """The key of a round follows its row: planned, rejected, deleted; and a table that is emptied holds nothing."""
    book = Book(database)
    key = "SELECT held_by, refused, tried FROM retention.round_keys WHERE round_id = 'R-1'"
    row = await book.row(await book.run(), "R-1", "claimed")
    assert [(row, 0, 0)] == await book.all(key)
    await book.all(
        "UPDATE retention.cancellations SET state = 'rejected', attempts = 1, lease_until = NULL, settled_at = now()"
    )
    assert [(None, 1, 1)] == await book.all(key)
    other = await book.row(await book.run(), "R-1", "planned")
    assert [(other, 1, 1)] == await book.all(key)
    await book.all("DELETE FROM retention.cancellations WHERE id = %s", other)
    assert [(None, 1, 1)] == await book.all(key)
    await book.all("TRUNCATE retention.cancellations")
    assert [] == await book.all(key)


async def test_a_plan_takes_no_memory_for_each_of_its_rounds(database: Database) -> None:
    """While a statement writes forty thousand rows, the server keeps no copy of them, but for some in buffers."""
    book = Book(database)
    run_id = await book.run()
    ((rows, kept),) = await book.all(
        "WITH written AS (INSERT INTO retention.cancellations (run_id, partner, market, user_id, round_id, opened_at)"
        " SELECT %s, 'acme', 'MT', 'U-1', i::text, now() FROM generate_series(1, 40000) i RETURNING id)"
        " SELECT count(*), (SELECT sum(used_bytes) FROM pg_backend_memory_contexts WHERE name = 'ExecutorState')"
        " FROM written",
        run_id,
    )
    assert (40_000, True) == (rows, kept < 200 * rows), f"{kept:,} bytes"


def test_the_job_begins_a_month_and_makes_no_other(postgres: str) -> None:
    """The job's login may begin this month, and may neither make other months nor move the ids."""
    with guarded_database(postgres) as owned:
        run(owned, sample("roles"))
        with logged_in(owned, "retention_job") as connection:
            assert ("", "") == tried(connection, "SELECT retention.begin_month()")
            for act in (
                "SELECT retention.make_months('2030-01-01')",
                "SELECT setval('retention.cancellations_id_seq', 1)",
                "UPDATE retention.round_keys SET held_by = NULL",
                "SELECT FROM retention.cancellations_before",
            ):
                assert "42501" == tried(connection, act)[0]
