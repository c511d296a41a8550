"""Each round is in the report of the period in which it became cancelled, and in no other."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from psycopg import AsyncConnection

from retention.core.evidence.resolutions import Resolution
from retention.core.model import LIVE_STATES, State
from retention.errors import UsageError
from retention.ledger.review import Review
from retention.reports.read import read_report
from retention.reports.report import Selection

if TYPE_CHECKING:
    from support.ledger import Book
    from support.world import World

    from retention.ledger.database import Database

MONTHS = [datetime(2025, month, 1, tzinfo=UTC) for month in (9, 10, 11, 12)]
OCTOBER, NOVEMBER = datetime(2025, 10, 20, 12, tzinfo=UTC), datetime(2025, 11, 10, 12, tzinfo=UTC)
TICK = timedelta(microseconds=1)


async def periods(database: Database, *, every: bool = False) -> dict[str, list[str]]:
    """Return the months, by their names, in which each round is reported."""
    found: dict[str, list[str]] = {}
    for start, end in pairwise([datetime(2020, 1, 1, tzinfo=UTC), *MONTHS, datetime.now(UTC) + timedelta(days=1)]):
        async with read_report(database, Selection(start, end, all_outcomes=every)) as report:
            rounds = [item async for item in report.rows]
            assert sum(total.count for total in report.totals) == len(rounds)
        for item in rounds:
            found.setdefault(item.round_id, []).append(f"{start:%b}")
            if item.cancelled_at is not None:
                assert start <= item.cancelled_at < end
    return found


def resolved(before: str, after: str, at: datetime = OCTOBER, found_out: datetime = NOVEMBER) -> dict[str, Any]:
    """Return the columns of a row that a person resolved as another outcome."""
    settled = found_out if before == "in_doubt" else at
    return {
        "state": "resolved",
        "resolved_from": before,
        "resolved_as": after,
        "settled_at": settled,
        "resolved_at": found_out,
    }


async def test_a_round_is_reported_in_the_month_it_became_cancelled(database: Database, book: Book) -> None:
    """A round cancelled in October is October's; one resolved as cancelled in November is November's."""
    run = await book.run()
    await book.row(run, "plain", settled_at=OCTOBER)
    for before in ("rejected", "already_completed", "no_longer_open", "held", "not_sent", "in_doubt"):
        for after in ("cancelled", "already_cancelled"):
            await book.row(run, f"{before} {after}", **resolved(before, after))
    for before in ("cancelled", "already_cancelled"):
        for after in ("cancelled", "already_cancelled"):
            await book.row(run, f"{before} {after}", **resolved(before, after))
        await book.row(
            run, f"{before} not_sent", amount=None, currency=None, transaction_id=None, **resolved(before, "not_sent")
        )
    found = await periods(database)
    assert {"Oct"} == {
        month
        for name, months in found.items()
        for month in months
        if name.startswith(("plain", "cancelled", "already_cancelled"))
    }
    later = {
        name: months
        for name, months in found.items()
        if not name.startswith(("plain", "cancelled", "already_cancelled"))
    }
    assert (12, {("Nov",)}) == (len(later), {tuple(months) for months in later.values()})
    assert 17 == len(found)
    assert not any("not_sent" in name.split()[1:] for name in found)


async def test_with_all_outcomes_each_round_is_in_one_period(database: Database, book: Book) -> None:
    """With --all each round is in exactly one of adjoining periods, for each outcome and each resolution."""
    run = await book.run()
    finals = [state for state in State if state not in LIVE_STATES and state is not State.RESOLVED]
    for before in (*finals, State.IN_DOUBT):
        for after in finals:
            await book.row(run, f"{before} {after}", **resolved(before, after))
    found = await periods(database, every=True)
    assert len(finals) * (len(finals) + 1) == len(found)
    assert {1} == {len(months) for months in found.values()}
    same = {name: months for name, months in found.items() if len({*name.split()}) == 1}
    assert {("Oct",)} == {tuple(months) for months in same.values()}


async def test_midnight_belongs_to_the_new_period(database: Database, book: Book) -> None:
    """At midnight a settlement or resolution is the new month's, a microsecond before it the old one's."""
    run = await book.run()
    midnight = MONTHS[2]
    await book.row(run, "settled", settled_at=midnight)
    await book.row(run, "settled before", settled_at=midnight - TICK)
    await book.row(run, "resolved", **resolved("rejected", "cancelled", found_out=midnight))
    await book.row(run, "resolved before", **resolved("rejected", "cancelled", found_out=midnight - TICK))
    expected = {"settled": ["Nov"], "settled before": ["Oct"], "resolved": ["Nov"], "resolved before": ["Oct"]}
    assert expected == await periods(database)


@pytest.mark.parametrize(("state", "stays"), [("cancelled", True), ("already_cancelled", True), ("rejected", False)])
async def test_a_later_resolution_moves_no_cancelled_round(
    database: Database, book: Book, state: str, stays: bool
) -> None:
    """A later resolution moves no cancelled round, and puts any other one into the month of the resolution."""
    row = await book.row(await book.run(), state=state, settled_at=OCTOBER, conflict=stays)
    before = await periods(database)
    decided = [Resolution(row, State.CANCELLED, "the vendor says so")]
    await Review(database).resolve_cancellations(decided, "ann")
    after = await periods(database)
    assert (
        ({"R-1": ["Oct"]}, {"R-1": ["Oct"]}) == (before, after) if stays else ({}, {"R-1": ["Dec"]}) == (before, after)
    )


async def test_a_report_waits_for_settlements_of_its_period(world: World) -> None:
    """A report waits for a settlement that began within its period, however long the operator's table is locked."""
    await world.seed(5)
    async with await AsyncConnection.connect(world.direct) as connection:
        await connection.execute("SELECT FROM public.rounds FOR UPDATE")
        running = await world.start("run", "--json")
        await world.until_waiting()
        end = datetime.now(UTC)
        words = ("report", "--json", "--to", end.isoformat())
        reporting = await world.start(*words)
        await asyncio.sleep(3)
        assert not reporting.over
    report, run = await reporting.ended(), await running.ended()
    assert 0 == run.code
    later = await world.command("report", "--json", "--from", end.isoformat())
    first, second = ({row["round_id"] for row in done.json["rounds"]} for done in (report, later))
    assert (5, set()) == (len(first | second), first & second)
    # A settlement that gives up its wait for the lock begins anew, in the next period: so it is on a busy machine.
    assert first or "database.busy" in {event["event"] for event in run.events}
    again = await world.command(*words)
    assert first == {row["round_id"] for row in again.json["rounds"]}


async def test_a_report_is_refused_after_waiting_for_writers(
    database: Database, database_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A report is refused where a writer takes too long; readers and later writers do not delay it."""
    monkeypatch.setattr("retention.reports.read._WRITERS_TIMEOUT_S", 0.3)
    monkeypatch.setattr("retention.reports.read._LOCK_DELAY", timedelta(0))
    async with await AsyncConnection.connect(database_dsn) as connection:
        await connection.execute("SELECT FROM retention.cancellations")
        async with read_report(database, Selection(end=MONTHS[0])):
            pass
        await connection.execute("UPDATE retention.cancellations SET detail = NULL")
        with pytest.raises(UsageError, match="before 2025-09-01T00:00:00Z are still being written"):
            async with read_report(database, Selection(end=MONTHS[0])):
                pass
        async with read_report(database, Selection(end=datetime.now(UTC) + timedelta(days=1))):
            pass
