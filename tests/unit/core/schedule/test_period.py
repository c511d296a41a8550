"""Periods of a calendar: their names, their first and last moments, and how they adjoin over clock changes."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, available_timezones

import pytest

from retention.core.schedule.period import first_moment, period_at, require_period

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

FIRST, AFTER = date(2000, 1, 1), date(2041, 1, 1)
DAY, TICK = timedelta(days=1), timedelta(microseconds=1)
NOW = datetime(2026, 10, 5, 12, tzinfo=UTC)  # a Monday

ODD_ZONES = (
    "Africa/Cairo",
    "Africa/Casablanca",
    "America/Asuncion",
    "America/Havana",
    "America/Santiago",
    "America/Sao_Paulo",
    "America/Scoresbysund",
    "America/St_Johns",
    "Asia/Amman",
    "Asia/Beirut",
    "Asia/Damascus",
    "Asia/Gaza",
    "Asia/Tehran",
    "Atlantic/Azores",
    "Australia/Lord_Howe",
    "Europe/Malta",
    "Pacific/Apia",
    "Pacific/Fakaofo",
    "UTC",
)
"""Zones that jump over midnight, repeat it, skip a whole day, or change by half an hour."""


def days(first: date = FIRST, after: date = AFTER) -> Iterator[date]:
    """Iterate over the days from `first` on, before `after`."""
    return (first + number * DAY for number in range((after - first).days))


def days_near_changes(zone: ZoneInfo) -> list[date]:
    """List the days on which the clock of a zone changes, with three days on each side."""
    offsets = [(day, datetime(day.year, day.month, day.day, 12, tzinfo=zone).utcoffset()) for day in days()]
    changes = [day for (_, before), (day, after) in pairwise(offsets) if before != after]
    return sorted({day + number * DAY for day in changes for number in range(-3, 4)})


def check_days(name: str, some: Sequence[date]) -> None:
    """Check that each day is a period from its first moment to the next one's."""
    zone = ZoneInfo(name)
    for day in some:
        period = period_at(day.isoformat(), NOW, name)
        assert (first_moment(day, zone), first_moment(day + DAY, zone)) == (period.start, period.end)
        assert period.start.astimezone(zone).date() >= day
        assert (period.start - TICK).astimezone(zone).date() < day
        if period.start == period.end:  # the zone skipped it
            assert period.start.astimezone(zone).date() > day
        else:
            assert period.start.astimezone(zone).date() == day
            assert timedelta(hours=19) < period.end - period.start < timedelta(hours=29)


def check_spans(name: str) -> None:
    """Check that weeks, months and years fit exactly, and begin with the first moments of their first days."""
    zone = ZoneInfo(name)
    mondays = [day for day in days() if day.weekday() == 0]
    firsts = [day for day in days() if day.day == 1]
    januaries = [day for day in firsts if day.month == 1]
    for form, some in (("%G-W%V", mondays), ("%Y-%m", firsts), ("%Y", januaries)):
        periods = [period_at(f"{day:{form}}", NOW, name) for day in some]
        assert [f"{day:{form}}" for day in some] == [period.name for period in periods]
        assert [first_moment(day, zone) for day in some] == [period.start for period in periods]
        for period, following in pairwise(periods):
            assert period.start < period.end == following.start


@pytest.mark.parametrize("name", ODD_ZONES)
def test_adjoining_periods_fit_over_clock_changes(name: str) -> None:
    """Days near each clock change, and all weeks, months and years of 2000 to 2040 hold each moment once."""
    check_days(name, days_near_changes(ZoneInfo(name)))
    check_spans(name)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_adjoining_periods_fit_in_every_zone() -> None:
    """All days, weeks, months and years of 2000 to 2040 fit in every zone."""
    names = sorted(available_timezones() - {"localtime", "posixrules"})
    assert len(names) > 400
    every_day = [*days()]
    for name in names:
        if not name.startswith(("posix/", "right/")):
            check_days(name, every_day)
            check_spans(name)


MOMENTS = {
    # midnight does not exist: the moment of the jump
    ("America/Sao_Paulo", "2018-11-04"): ("2018-11-04T03:00", 23),
    ("Africa/Cairo", "2026-04-24"): ("2026-04-23T22:00", 23),
    ("Asia/Beirut", "2026-03-29"): ("2026-03-28T22:00", 23),
    ("America/Havana", "2026-03-08"): ("2026-03-08T05:00", 23),
    # midnight comes twice: the first one
    ("America/Havana", "2026-11-01"): ("2026-11-01T04:00", 25),
    ("America/St_Johns", "2010-11-07"): ("2010-11-07T02:30", 25),
    # the change is a minute after midnight
    ("America/St_Johns", "2010-03-14"): ("2010-03-14T03:30", 23),
    # the clock goes back from midnight to 23:00: that hour belongs to the day before
    ("America/Sao_Paulo", "2018-02-17"): ("2018-02-17T02:00", 25),
    ("Africa/Cairo", "2026-10-29"): ("2026-10-28T21:00", 25),
    # skipped
    ("Pacific/Apia", "2011-12-30"): ("2011-12-30T10:00", 0),
    ("Pacific/Apia", "2011-12-31"): ("2011-12-30T10:00", 24),
    ("Europe/Malta", "2026-03-29"): ("2026-03-28T23:00", 23),
    ("UTC", "2028-02-29"): ("2028-02-29T00:00", 24),
}


@pytest.mark.parametrize(("zone", "day"), MOMENTS)
def test_a_day_has_its_hours(zone: str, day: str) -> None:
    """A day of a clock change begins at the known moment and has its hours."""
    start, hours = MOMENTS[zone, day]
    period = period_at(day, NOW, zone)
    assert datetime.fromisoformat(start).replace(tzinfo=UTC) == period.start
    assert timedelta(hours=hours) == period.end - period.start


NAMED = {
    "today": ("2026-10-05", "2026-10-05", "2026-10-06"),
    "yesterday": ("2026-10-04", "2026-10-04", "2026-10-05"),
    "this-week": ("2026-W41", "2026-10-05", "2026-10-12"),
    "last-week": ("2026-W40", "2026-09-28", "2026-10-05"),
    "this-month": ("2026-10", "2026-10-01", "2026-11-01"),
    "last-month": ("2026-09", "2026-09-01", "2026-10-01"),
    "2026": ("2026", "2026-01-01", "2027-01-01"),
    "2026-12": ("2026-12", "2026-12-01", "2027-01-01"),
    "2028-02": ("2028-02", "2028-02-01", "2028-03-01"),
    "2026-W40": ("2026-W40", "2026-09-28", "2026-10-05"),
    "2026-W01": ("2026-W01", "2025-12-29", "2026-01-05"),
    "2026-W53": ("2026-W53", "2026-12-28", "2027-01-04"),
    "2028-02-29": ("2028-02-29", "2028-02-29", "2028-03-01"),
    "2000": ("2000", "2000-01-01", "2001-01-01"),
    "8999-12-31": ("8999-12-31", "8999-12-31", "9000-01-01"),
}


@pytest.mark.parametrize("text", NAMED)
def test_a_period_is_named_and_resolved(text: str) -> None:
    """Each form of a period has its name, its first day and the day after its last one."""
    require_period(text)
    name, first, after = NAMED[text]
    period = period_at(text, NOW, "UTC")
    assert (name, first, after) == (period.name, f"{period.start:%Y-%m-%d}", f"{period.end:%Y-%m-%d}")
    assert period == period_at(period.name, NOW, "UTC")


@pytest.mark.parametrize(
    ("now", "relative", "name"),
    [
        ("2026-01-01T00:00:00", "yesterday", "2025-12-31"),
        ("2026-01-01T00:00:00", "last-month", "2025-12"),
        ("2026-01-01T00:00:00", "this-week", "2026-W01"),
        ("2027-01-03T23:59:59", "this-week", "2026-W53"),
        ("2027-01-04T00:00:00", "last-week", "2026-W53"),
        ("2026-03-31T12:00:00", "last-month", "2026-02"),
        ("2028-02-29T23:59:59.999999", "this-month", "2028-02"),
    ],
)
def test_relative_periods_cross_years_and_months(now: str, relative: str, name: str) -> None:
    """Relative periods are right at the turn of a month, of a year and of an ISO year."""
    assert name == period_at(relative, datetime.fromisoformat(now).replace(tzinfo=UTC), "UTC").name


def test_the_moment_decides_in_the_zone() -> None:
    """One moment is another day in other zones."""
    now = datetime(2026, 10, 31, 23, 30, tzinfo=UTC)
    names = [period_at("this-month", now, zone).name for zone in ("UTC", "Europe/Malta", "America/St_Johns")]
    assert ["2026-10", "2026-11", "2026-10"] == names


@pytest.mark.parametrize("name", ODD_ZONES)
def test_today_has_the_present_moment(name: str) -> None:
    """Near a change `today`, `this-week` and `this-month` have the moment, also where the clock shows a day again."""
    zone = ZoneInfo(name)
    for day in days_near_changes(zone)[-70:]:
        midnight = first_moment(day, zone)
        for minutes in (-1, 0, 1, 30, 59, 60, 61):
            for now in (midnight + timedelta(minutes=minutes), midnight + timedelta(minutes=minutes) - TICK):
                for text in ("today", "this-week", "this-month"):
                    period = period_at(text, now, name)
                    assert period.start <= now < period.end
                assert period_at("yesterday", now, name).end <= now


def test_a_day_that_is_shown_again_stays_over() -> None:
    """A clock that goes back from 00:01 to 23:01 makes no second yesterday of the same hour."""
    change = datetime(2010, 11, 7, 2, 31, tzinfo=UTC)
    assert date(2010, 11, 6) == change.astimezone(ZoneInfo("America/St_Johns")).date()
    names = [
        period_at("today", change + minutes * timedelta(minutes=1), "America/St_Johns").name
        for minutes in (-2, -1, 0, 90)
    ]
    assert ["2010-11-06", "2010-11-07", "2010-11-07", "2010-11-07"] == names


WRONG = (
    "",
    " ",
    "2026-1",
    " 2026",
    "2026 ",
    "2026\n",
    "２０２６",  # noqa: RUF001 - full-width digits
    "٢٠٢٦",
    "2026-00",
    "2026-13",
    "2026-W00",
    "2026-W54",
    "2025-W53",
    "2026-w40",
    "2026W40",
    "2026-W4",
    "2026-W40-1",
    "2026-10-5",
    "2026-02-29",
    "2026-04-31",
    "20261005",
    "2026/10",
    "26-10",
    "02026",
    "+2026",
    "-2026",
    "2026-10-05T00:00",
    "Today",
    "LAST-MONTH",
    "last month",
    "last_month",
    "last-year",
    "tomorrow",
    "2026-01..2026-03",
    "2026-10-05Z",
    "\x00",
)


@pytest.mark.parametrize("text", WRONG)
def test_a_text_that_names_no_period_is_refused(text: str) -> None:
    """A text that is no period is refused with the forms that are."""
    for read in (require_period, lambda text: period_at(text, NOW, "UTC")):
        with pytest.raises(ValueError, match=r"^names no period; write today, yesterday, .* 2026-10-05$"):
            read(text)


@pytest.mark.parametrize(
    "text", ["0000", "0001", "1999", "1999-12", "1999-12-31", "1999-W52", "9000", "9999-12-31", "9999-W52"]
)
def test_years_without_rounds_are_refused(text: str) -> None:
    """A year that no round's time can have is refused with the years that there are."""
    with pytest.raises(ValueError, match=r"^is outside of the years 2000 to 8999; write a period of one of them$"):
        require_period(text)


@pytest.mark.parametrize(
    "zone", ["Europe/Valletta", "", "localtime", "right/UTC", "../../etc/passwd", "europe/malta\n"]
)
def test_a_zone_that_is_none_is_refused(zone: str) -> None:
    """A period is read in a zone of the IANA database alone."""
    with pytest.raises(ValueError, match="is no time zone; write one by its IANA name"):
        period_at("today", NOW, zone)
