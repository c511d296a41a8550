"""The sections of a page besides its rows: runs and their decisions, and the counts of its pictures.

The statements count and sum on the server, so a page needs the same memory however many rows its report has.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from retention.core.evidence.discrepancies import discrepancies_of
from retention.core.schedule.period import first_moment
from retention.ledger.records import records
from retention.reports.kinds.cancelled import selected
from retention.reports.report import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from retention.reports.kinds.kind import Reading

MAX_DAYS = 4_000
"""The most days that are counted one by one: some eleven years."""

SHOWN = 1000
"""The most entries of a list of a section. Each section has the number of all."""

SHOWN_GAMES = 30
"""The most games that are counted apart, those with the most rounds."""

AGE_LIMITS = tuple(timedelta(days=days) for days in (1, 2, 3, 4, 7, 14, 30, 90))
"""The limits between the classes of age."""

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class DayCount:
    """The rounds of one day in the report's zone. `rounds` is None for a day that had not begun."""

    day: date
    rounds: int | None


@dataclass(frozen=True, slots=True)
class AgeCount:
    """The rounds of an age of at least `least` and below `below` when they were cancelled. None is no limit."""

    least: timedelta | None
    below: timedelta | None
    rounds: int


@dataclass(frozen=True, slots=True)
class MarketCount:
    """The rounds of one market."""

    market: str
    rounds: int


@dataclass(frozen=True, slots=True)
class GameCount:
    """The rounds of one game in one market. The game may be unknown."""

    market: str
    game_id: str | None
    rounds: int


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """A round with discrepancies, one sentence each."""

    partner: str
    market: str
    user_id: str
    round_id: str
    at: datetime
    discrepancies: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RunShown:
    """A run with rounds in the report. `overrides`: for each passed rail who passed it, when, and with which words.

    With pseudonyms, free words are None.
    """

    run_id: UUID
    policy: str
    trigger: str
    mode: str
    status: str
    scheduled_for: datetime | None
    as_of: datetime
    requested_by: str
    reason: str | None
    evidence: str | None
    approved_by: str | None
    approved_at: datetime | None
    note: str | None
    overrides: Sequence[Mapping[str, Any]]
    plan_digest: str | None
    rounds: int


@dataclass(frozen=True, slots=True)
class HoldShown:
    """A hold that stood at some moment of the period. It matches where all its known fields match."""

    hold_id: int
    partner: str | None
    market: str | None
    game_id: str | None
    user_id: str | None
    round_id: str | None
    reason: str
    created_by: str
    created_at: datetime
    until: datetime | None
    released_at: datetime | None
    released_by: str | None


@dataclass(frozen=True, slots=True)
class Listed:
    """The first entries of a list, and the number of all."""

    items: tuple[Any, ...] = ()
    total: int = 0


@dataclass(frozen=True, slots=True)
class Sections:
    """The sections of one report. `days`, `ages` and `games` are empty for other kinds than `cancelled`.

    `idle_markets`: the known markets without a row. `other_games`: the rounds of games that are not counted apart.
    """

    idle_markets: tuple[str, ...] = ()
    days: tuple[DayCount, ...] = ()
    ages: tuple[AgeCount, ...] = ()
    markets: tuple[MarketCount, ...] = ()
    games: tuple[GameCount, ...] = ()
    other_games: int = 0
    discrepancies: Listed = Listed()
    runs: Listed = Listed()
    holds: Listed = Listed()


async def read_sections(reading: Reading, totals: Sequence[Any] = ()) -> Sections:
    """Read the sections of a report, as of the moment of its rows. `totals`: those of the report."""
    if reading.selection.kind is Kind.DECISIONS:  # its totals count people's decisions, not a market's rounds
        return Sections()
    if reading.selection.kind is not Kind.CANCELLED:
        seen = {total.market for total in totals if total.market is not None}
        return Sections(idle_markets=await _idle_markets(reading, seen))
    rows, parameters = reading.transaction.rows, selected(reading.selection)
    days = await _days(reading, parameters)
    starts = [first_moment(day, ZoneInfo(reading.selection.timezone)) for day in days]
    limits = [int(limit.total_seconds()) for limit in AGE_LIMITS]
    groups = await rows("reports/count_report_groups", **parameters, day_starts=starts, age_limits_s=limits)
    counts = {name: [row for row in groups if row.picture == name] for name in ("market", "day", "age")}
    by_day = {row.day: row.rounds for row in counts["day"]}
    by_age = {row.age: row.rounds for row in counts["age"]}
    markets = tuple(MarketCount(row.market, row.rounds) for row in counts["market"])
    games = tuple(records(GameCount, await rows("reports/count_report_games", **parameters, limit=SHOWN_GAMES)))
    found = await rows("reports/list_report_discrepancies", **parameters, limit=SHOWN)
    return Sections(
        idle_markets=await _idle_markets(reading, {one.market for one in markets}),
        days=tuple(
            DayCount(day, by_day.get(nth) if start > reading.now else by_day.get(nth, 0))
            for nth, (day, start) in enumerate(zip(days, starts, strict=True), 1)
        ),
        ages=tuple(
            AgeCount(least, below, by_age.get(nth, 0))
            for nth, (least, below) in enumerate(pairwise((None, *AGE_LIMITS, None)))
        ),
        markets=markets,
        games=games,
        other_games=sum(one.rounds for one in markets) - sum(one.rounds for one in games),
        discrepancies=Listed(tuple(map(_discrepancy, found)), _total(found)),
        runs=await _listed(reading, RunShown, "reports/list_report_runs"),
        holds=await _listed(reading, HoldShown, "reports/list_report_holds"),
    )


async def _listed(reading: Reading, kind: type, statement: str) -> Listed:
    rows = await reading.transaction.rows(statement, **selected(reading.selection), limit=SHOWN)
    return Listed(tuple(records(kind, rows)), _total(rows))


def _total(rows: Sequence[Any]) -> int:
    return rows[0].total if rows else 0


def _discrepancy(row: Any) -> Discrepancy:
    return Discrepancy(row.partner, row.market, row.user_id, row.round_id, row.at, discrepancies_of(row))


async def _days(reading: Reading, parameters: Mapping[str, Any]) -> list[date]:
    """List the days of the period in the report's zone, none of a period with more than MAX_DAYS.

    A period without a limit begins with its first round, or ends with its last one.
    """
    selection, zone = reading.selection, ZoneInfo(reading.selection.timezone)
    start, end = selection.start, selection.end and selection.end - timedelta(microseconds=1)
    if start is None or end is None:
        span = await reading.transaction.row("reports/get_report_span", **parameters)
        start, end = start or span.first, end or span.last or (start and reading.now)
    if start is None or end is None:
        return []
    first, last = (moment.astimezone(UTC).astimezone(zone).date() for moment in (start, end))
    count = (last - first).days + 1
    return [first + nth * _DAY for nth in range(count)] if count <= MAX_DAYS else []


async def _idle_markets(reading: Reading, seen: set[str]) -> tuple[str, ...]:
    """List the known markets of the selection that have no row."""
    selection = reading.selection
    if selection.markets is not None:
        return tuple(sorted(set(selection.markets) - seen))
    rows = await reading.transaction.rows("reports/list_ledger_markets", policies=selection.filters()["policies"])
    configured = {
        market
        for name, scope in reading.configured.scopes.items()
        if selection.policies is None or name in selection.policies
        for market in scope.markets or ()
    }
    return tuple(sorted((configured | {row.market for row in rows}) - seen))
