"""Periods of a calendar, such as last-month in a market's zone.

A period begins with the first moment of its first day, and ends before the first moment of the day after its last one.
So adjoining periods hold each moment once, also where a clock change has removed or repeated midnight. A day that a
zone skipped (2011-12-30 in Pacific/Apia) is an empty period.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

from retention.core.schedule.cron import zone_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from zoneinfo import ZoneInfo

FIRST_YEAR, LAST_YEAR = 2000, 9000
"""The years of a round's times, as the view may have them."""

EXAMPLES = (
    "today, yesterday, this-week, last-week, this-month, last-month, or the name of a year, month, week or day:"
    " 2026, 2026-10, 2026-W40, 2026-10-05"
)

_DAY_LENGTH, _WEEK_LENGTH = timedelta(days=1), timedelta(weeks=1)


@dataclass(frozen=True, slots=True)
class Period:
    """A period under the name that it always has, such as 2026-10: at or after `start`, before `end`, both in UTC."""

    name: str
    start: datetime
    end: datetime


def require_period(text: str) -> None:
    """Raise ValueError for a text that names no period."""
    _days(text, date(FIRST_YEAR, 1, 1))


def period_at(text: str, now: datetime, timezone: str) -> Period:
    """Return the period that `text` names at the moment `now`, in the calendar of a zone. Raises ValueError."""
    zone = zone_of(timezone)
    name, first, after = _days(text, _day_of(now, zone))
    return Period(name, first_moment(first, zone), first_moment(after, zone))


def first_moment(day: date, zone: ZoneInfo) -> datetime:
    """Return the first moment of a day in UTC. Where the clock jumps over midnight, it is the moment of the jump.

    Of a repeated midnight it is the first one. Every jump over midnight since FIRST_YEAR begins at midnight.
    """
    return datetime.combine(day, time(), zone).astimezone(UTC)


def _day_of(now: datetime, zone: ZoneInfo) -> date:
    """Return the day that has the moment `now`. A clock that goes back over midnight shows the day before again."""
    day = now.astimezone(zone).date()
    following = day + _DAY_LENGTH
    return following if first_moment(following, zone) <= now else day


def _days(text: str, today: date) -> tuple[str, date, date]:
    """Return the name of a period, its first day and the day after its last one."""
    relative = _RELATIVE.get(text)
    if relative is not None:
        return relative(today)
    for form, period_of in _NAMED:
        found = form.fullmatch(text)
        if found is None:
            continue
        year, *rest = map(int, found.groups())
        if not FIRST_YEAR <= year < LAST_YEAR:
            raise ValueError(f"is outside of the years {FIRST_YEAR} to {LAST_YEAR - 1}; write a period of one of them")
        try:
            return period_of(year, *rest)
        except ValueError:  # no calendar has it
            break
    raise ValueError(f"names no period; write {EXAMPLES}")


def _year(year: int) -> tuple[str, date, date]:
    return f"{year:04}", date(year, 1, 1), date(year + 1, 1, 1)


def _month(day: date) -> tuple[str, date, date]:
    first = day.replace(day=1)
    return f"{first:%Y-%m}", first, (first + timedelta(days=31)).replace(day=1)


def _week(day: date) -> tuple[str, date, date]:
    """The week of ISO 8601: it begins on Monday."""
    year, week, weekday = day.isocalendar()
    first = day - timedelta(days=weekday - 1)
    return f"{year:04}-W{week:02}", first, first + _WEEK_LENGTH


def _day(day: date) -> tuple[str, date, date]:
    return day.isoformat(), day, day + _DAY_LENGTH


_RELATIVE: Mapping[str, Callable[[date], tuple[str, date, date]]] = {
    "today": _day,
    "yesterday": lambda today: _day(today - _DAY_LENGTH),
    "this-week": _week,
    "last-week": lambda today: _week(today - _WEEK_LENGTH),
    "this-month": _month,
    "last-month": lambda today: _month(today.replace(day=1) - _DAY_LENGTH),
}

_NAMED: tuple[tuple[re.Pattern[str], Callable[..., tuple[str, date, date]]], ...] = (
    (re.compile(r"([0-9]{4})"), _year),
    (re.compile(r"([0-9]{4})-([0-9]{2})"), lambda year, month: _month(date(year, month, 1))),
    (re.compile(r"([0-9]{4})-W([0-9]{2})"), lambda year, week: _week(date.fromisocalendar(year, week, 1))),
    (re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})"), lambda year, month, day: _day(date(year, month, day))),
)
