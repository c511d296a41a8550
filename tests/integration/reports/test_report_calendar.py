"""Periods of a calendar on a real ledger, and beside PostgreSQL's own idea of midnight."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from retention.core.schedule.period import first_moment, period_at
from retention.reports.read import read_report
from retention.reports.report import Selection

if TYPE_CHECKING:
    from support.ledger import Book
    from support.world import World

    from retention.core.schedule.period import Period
    from retention.ledger.database import Database

NOW = datetime(2026, 10, 5, 12, tzinfo=UTC)
DAY, TICK = timedelta(days=1), timedelta(microseconds=1)


async def reported(database: Database, periods: list[Period]) -> list[str]:
    """Return the ids of the rounds of adjoining periods, in their order."""
    found: list[str] = []
    for period in periods:
        async with read_report(database, Selection(period.start, period.end)) as report:
            rows = [(item.round_id, item.cancelled_at) async for item in report.rows]
        assert all(period.start <= at < period.end for _, at in rows)
        found += [name for name, _ in rows]
    return found


@pytest.mark.parametrize(
    ("zone", "month"),
    [
        ("America/Havana", "2025-11"),  # midnight comes twice
        ("Asia/Beirut", "2026-03"),  # midnight does not exist
        ("America/St_Johns", "2010-11"),  # a minute after midnight the clock goes back to 23:01
        ("Pacific/Apia", "2011-12"),  # a day is skipped
    ],
)
async def test_each_round_is_in_one_day_and_one_month(database: Database, book: Book, zone: str, month: str) -> None:
    """Rounds a microsecond from the boundaries are in one day of their month, and in one month of their year."""
    whole = period_at(month, NOW, zone)
    first = date.fromisoformat(f"{month}-01")
    days = [period_at((first + number * DAY).isoformat(), NOW, zone) for number in range(31)]
    days = [day for day in days if day.start < whole.end]
    months = [period_at(f"{first.year}-{number:02}", NOW, zone) for number in range(1, 13)]
    times = {
        at
        for day in (*days, *months)
        for edge in (day.start, day.end)
        for at in (edge - TICK, edge, edge + TICK, edge + timedelta(minutes=30))
    }
    run = await book.run()
    for at in sorted(times):
        await book.row(run, at.isoformat()[:36], settled_at=at, opened_at=at - DAY)
    in_month = {at.isoformat() for at in times if whole.start <= at < whole.end}
    in_year = {at.isoformat() for at in times if months[0].start <= at < months[-1].end}
    told = await reported(database, days)
    assert (len(in_month), in_month) == (len(told), set(told))
    told = await reported(database, months)
    assert (len(in_year), in_year) == (len(told), set(told))
    assert len(in_month) < len(in_year) < len(times)


ZONES = (
    *("Africa/Cairo", "America/Havana", "America/New_York", "America/Sao_Paulo", "America/St_Johns", "Asia/Beirut"),
    *("Asia/Kolkata", "Asia/Tehran", "Atlantic/Azores", "Australia/Lord_Howe", "Europe/Malta", "Pacific/Apia", "UTC"),
)


async def test_midnights_are_those_of_the_database(world: World) -> None:
    """PostgreSQL has the same midnights, except for a repeated one: it takes the second, and a period the first."""
    rows = await world.sql(
        "SELECT zone, day::date AS day, day::date::timestamp AT TIME ZONE zone AS midnight FROM unnest(%(zones)s::text[])"
        " AS zone, generate_series('2000-01-01'::timestamp, '2025-12-31', '1 day') AS day",
        zones=list(ZONES),
    )
    assert len(rows) == len(ZONES) * (date(2026, 1, 1) - date(2000, 1, 1)).days
    repeated: set[str] = set()
    for zone, day, midnight in rows:
        known = ZoneInfo(zone)
        ours = first_moment(day, known)
        if ours != midnight:
            shown = [at.astimezone(known).replace(tzinfo=None) for at in (ours, midnight)]
            assert (True, [datetime(day.year, day.month, day.day)] * 2) == (ours < midnight, shown)  # noqa: DTZ001
            repeated.add(zone)
    assert {"America/Havana", "America/St_Johns", "Atlantic/Azores"} >= repeated >= {"America/Havana"}
