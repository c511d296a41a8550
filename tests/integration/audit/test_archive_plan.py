"""What an archive takes of a month, and what it leaves for those who still need it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from psycopg import errors
from support.ledger import SETTLED

from retention.audit.archive_plan import plan_month
from retention.ledger.archives import Archives
from retention.ledger.month_archive import MonthArchive

if TYPE_CHECKING:
    from support.ledger import Book

    from retention.ledger.archives import PresentMonth
    from retention.ledger.database import Database

RECORDED = """
INSERT INTO retention.archives (name, month, part, first_id, last_id, kept, files, runs, archived_by)
VALUES ('2016-10', '2016-10', 1, 20161000000000000, 20161099999999999, 0, '[]', '{}', 'ann')
"""


async def _begin(book: Book, month: str) -> None:
    """Let new rows be of a month."""
    await book.all(f"SELECT retention.make_months('{month}-01')")
    await book.all(f"SELECT setval('retention.cancellations_id_seq', retention.first_id('{month}-01'))")


async def _month(database: Database, name: str) -> PresentMonth:
    return next(one for one in await Archives(database).months() if one.month.month == name)


async def test_a_row_stays_while_an_earlier_one_of_its_round_does(database: Database, book: Book) -> None:
    """The row that tells how a round ended does not leave before an earlier one, which would need a person without it."""
    await _begin(book, "2016-10")
    halted = await book.run(status="halted", halt_reason="max_rounds")
    await book.row(halted, "again", "rejected")
    await _begin(book, "2016-11")
    later = await book.run()
    cancelled = await book.row(later, "again", "cancelled")
    await book.row(later, "other", "cancelled")
    work = MonthArchive(database, await _month(database, "2016-11"), {"acme": 3})
    assert (1, [cancelled]) == ((await work.look()).rounds, work.kept)


async def test_the_time_before_the_months_is_as_old_as_its_newest_row(database: Database, book: Book) -> None:
    """Rows of 0.1.0, which have no evidence, stay until all of them are as old as was asked for."""
    await book.all("SELECT setval('retention.cancellations_id_seq', 1)")
    await book.row(await book.run())
    before = await _month(database, "before")
    young = await plan_month(database, before, [], SETTLED - timedelta(days=1), {"acme": 3})
    old = await plan_month(database, before, [], SETTLED + timedelta(days=1), {"acme": 3})
    assert young is not None
    assert old is not None
    assert ("rows of 2025-03-05", None) == (young.why_not[7:25] if young.why_not else None, old.why_not)


@pytest.mark.parametrize("recorded", [False, True])
async def test_a_recorded_month_stays_frozen(database: Database, book: Book, recorded: bool) -> None:
    """After an error the rows of a month may be changed again, unless its archive is on record all the same."""
    await _begin(book, "2016-10")
    await book.row(await book.run())
    work = MonthArchive(database, await _month(database, "2016-10"), {"acme": 3})
    await work.freeze()
    if recorded:
        await book.all(RECORDED)
    await work.thaw("2016-10")
    changing = "UPDATE retention.cancellations SET detail = 'x'"
    if recorded:
        with pytest.raises(errors.OperationalError, match="archiving 2016-10"):
            await book.all(changing)
    else:
        await book.all(changing)
