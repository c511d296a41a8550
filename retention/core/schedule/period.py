"""Periods of a calendar, such as last-month in a market's zone.

A period begins with the first moment of its first day, and ends before the first moment of the day after its last one.
So adjoining periods hold each moment once, also where a clock change has removed or repeated midnight.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

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
    zone = ZoneInfo(timezone)
    name, first, after = _days(text, now.astimezone(zone).date())
    return Period(name, first_moment(first, zone), first_moment(after, zone))


def first_moment(day: date, zone: ZoneInfo) -> datetime:
    """Return the first moment of a day in UTC. Where the clock jumps over midnight, it is the moment of the jump."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


def _days(text: str, today: date) -> tuple[str, date, date]:
    """Return the name of a period, its first day and the day after its last one."""
    relative = _RELATIVE.get(text)
    if relative is not None:
        return relative(today)
    for form, period_of in _NAMED:
        found = form.fullmatch(text)
        if found is None:
            continue
        try:
            period = period_of(*map(int, found.groups()))
        except ValueError:  # no calendar has it
            break
        if not FIRST_YEAR <= period[1].year < LAST_YEAR:
            raise ValueError(f"is outside of the years {FIRST_YEAR} to {LAST_YEAR - 1}")
        return period
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
