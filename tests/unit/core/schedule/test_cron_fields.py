"""How the fields of a schedule are read, and which are refused."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retention.core.schedule.cron import CronSchedule, fields_of, zone_of

MALTA = "Europe/Malta"
START = datetime(2025, 12, 31, 23, tzinfo=UTC)  # midnight in Malta


@pytest.mark.parametrize(
    ("expression", "days", "expected"),
    [
        ("0 3 * * *", 2, ["2026-01-01T03:00+01:00", "2026-01-02T03:00+01:00"]),
        ("  0\t3  * * * ", 1, ["2026-01-01T03:00+01:00"]),
        ("5-7,30 12 1 1 *", 9, [f"2026-01-01T12:{minute}+01:00" for minute in ("05", "06", "07", "30")]),
        ("*/25 4 1 1 *", 9, [f"2026-01-01T04:{minute}+01:00" for minute in ("00", "25", "50")]),
        ("10-40/15 4 1 1 *", 9, ["2026-01-01T04:10+01:00", "2026-01-01T04:25+01:00", "2026-01-01T04:40+01:00"]),
        ("0 */99 2 * *", 9, ["2026-01-02T00:00+01:00"]),
        ("0 04-4/2,6 * 1 sat-6/5", 9, ["2026-01-03T04:00+01:00", "2026-01-03T06:00+01:00"]),
        ("0 9-17/4,23 2 jan *", 9, [f"2026-01-02T{hour}:00+01:00" for hour in ("09", "13", "17", "23")]),
        ("0 0 * * 0", 12, ["2026-01-04T00:00+01:00", "2026-01-11T00:00+01:00"]),
        ("0 0 * * 7", 12, ["2026-01-04T00:00+01:00", "2026-01-11T00:00+01:00"]),
        ("0 0 * * sun", 12, ["2026-01-04T00:00+01:00", "2026-01-11T00:00+01:00"]),
        ("0 0 * * 5-7", 5, [f"2026-01-0{day}T00:00+01:00" for day in (2, 3, 4)]),
        ("0 0 * * Mon-WED", 8, [f"2026-01-0{day}T00:00+01:00" for day in (5, 6, 7)]),
        ("0 0 * * */5", 7, ["2026-01-02T00:00+01:00", "2026-01-04T00:00+01:00"]),
        ("0 0 6 * FRI", 7, ["2026-01-02T00:00+01:00", "2026-01-06T00:00+01:00"]),
        ("0 0 */3 * 4", 27, ["2026-01-22T00:00+01:00"]),
        ("0 0 1-7 * */7", 30, ["2026-01-04T00:00+01:00"]),
        ("0 0 31 * *", 150, ["2026-01-31T00:00+01:00", "2026-03-31T00:00+02:00", "2026-05-31T00:00+02:00"]),
        ("0 0 30 * *", 100, ["2026-01-30T00:00+01:00", "2026-03-30T00:00+02:00"]),
        ("0 0 30,31 2,3 *", 365, ["2026-03-30T00:00+02:00", "2026-03-31T00:00+02:00"]),
        ("0 0 29 2 *", 2000, ["2028-02-29T00:00+01:00"]),
        ("@yearly", 731, ["2027-01-01T00:00+01:00", "2028-01-01T00:00+01:00"]),
        ("@annually", 366, ["2027-01-01T00:00+01:00"]),
        ("@monthly", 60, ["2026-02-01T00:00+01:00", "2026-03-01T00:00+01:00"]),
        ("@weekly", 8, ["2026-01-04T00:00+01:00"]),
        ("@daily", 2, ["2026-01-02T00:00+01:00", "2026-01-03T00:00+01:00"]),
        (" @Midnight", 1, ["2026-01-02T00:00+01:00"]),
        ("@hourly", 1, [f"2026-01-0{1 + hour // 24}T{hour % 24:02}:00+01:00" for hour in range(1, 25)]),
    ],
)
def test_a_schedule_is_read_as_cron_reads_it(expression: str, days: int, expected: list[str]) -> None:
    """Lists, ranges, steps, names, both Sundays, nicknames, ends of months, and the two day fields together."""
    times = CronSchedule(expression, MALTA).between(START, START + timedelta(days=days), 100)
    assert expected == [time.isoformat(timespec="minutes") for time in times]


@pytest.mark.parametrize("host", ["EST+11", "EST-13"])
def test_the_zone_of_the_host_has_no_say(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A schedule is due by its own zone, in whichever zone the process runs."""
    monkeypatch.setenv("TZ", host)
    time.tzset()
    daily, until = CronSchedule("0 3 * * *", MALTA), START + timedelta(hours=28)
    after, between = [*islice(daily.after(START), 2)], daily.between(START, until, 9)
    monkeypatch.undo()
    time.tzset()
    assert ["2026-01-01T03:00:00+01:00", "2026-01-02T03:00:00+01:00"] == [one.isoformat() for one in after]
    assert after == between


def test_every_month_and_day_of_the_week_has_its_name() -> None:
    """Each name stands for the number that cron gives it, in any letter case."""
    months = ["Jan", "FEB", "mar", "Apr", "MAY", "jun", "Jul", "AUG", "sep", "Oct", "NOV", "dec"]
    days = ["Sun", "MON", "tue", "Wed", "THU", "fri", "Sat"]
    assert [f"0 0 1 {number} *" for number in range(1, 13)] == [fields_of(f"0 0 1 {name} *") for name in months]
    assert [f"0 0 * * {number}" for number in range(7)] == [fields_of(f"0 0 * * {name}") for name in days]


FIVE = 'write minute hour day-of-month month day-of-week, such as "0 3 * * *"'
LETTERS = "is not understood by cron; write *, or numbers from {}, as in 5, 1-5, */2 or 1,5"


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("", f"is no schedule: it has 0 fields instead of five; {FIVE}"),
        ("daily", f"is no schedule: it has one field instead of five; {FIVE}"),
        ("0 3 * *", f"is no schedule: it has 4 fields instead of five; {FIVE}"),
        ("0 0 3 * * *", f"is no schedule: it has 6 fields instead of five; {FIVE}"),
        ("0 3 * * *\n", f"is no schedule: it has line breaks or control characters in it; {FIVE}"),
        ("0 3 * *\u2028*", f"is no schedule: it has line breaks or control characters in it; {FIVE}"),
        ("@reboot", 'is no schedule: it names no time; write one, such as "0 3 * * *" or "@daily"'),
        (
            "@nightly",
            "is no schedule: cron knows no such name; write one of @yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly",
        ),
        ("60 3 * * *", "is no schedule: its minute '60' is out of range; write numbers from 0 to 59"),
        ("0 3,24 * * *", "is no schedule: its hour '3,24' is out of range; write numbers from 0 to 23"),
        ("0 3 0 * *", "is no schedule: its day-of-month '0' is out of range; write numbers from 1 to 31"),
        ("0 3 * 13 *", "is no schedule: its month '13' is out of range; write numbers from 1 to 12, or JAN to DEC"),
        ("0 3 * sun *", "is no schedule: its month 'sun' is out of range; write numbers from 1 to 12, or JAN to DEC"),
        ("0 3 * * 8", "is no schedule: its day-of-week '8' is out of range; write numbers from 0 to 7, or SUN to SAT"),
        (
            "0 3 * * feb",
            "is no schedule: its day-of-week 'feb' is out of range; write numbers from 0 to 7, or SUN to SAT",
        ),
        ("0 3 L * *", f"is no schedule: its day-of-month 'L' {LETTERS.format('1 to 31')}"),
        ("0 3 LW * *", f"is no schedule: its day-of-month 'LW' {LETTERS.format('1 to 31')}"),
        ("0 3 * * 5L", f"is no schedule: its day-of-week '5L' {LETTERS.format('0 to 7')}"),
        ("0 3 * * MON#2", f"is no schedule: its day-of-week 'MON#2' {LETTERS.format('0 to 7')}"),
        ("0 3 ? * *", f"is no schedule: its day-of-month '?' {LETTERS.format('1 to 31')}"),
        ("0 3 * * Monday", f"is no schedule: its day-of-week 'Monday' {LETTERS.format('0 to 7')}"),
        ("0 3,, * * *", f"is no schedule: its hour '3,,' {LETTERS.format('0 to 23')}"),
        ("-5 3 * * *", f"is no schedule: its minute '-5' {LETTERS.format('0 to 59')}"),
        ("٣ 3 * * *", f"is no schedule: its minute '٣' {LETTERS.format('0 to 59')}"),
        ("0 **/2 * * *", f"is no schedule: its hour '**/2' {LETTERS.format('0 to 23')}"),
        (
            "0 22-2 * * *",
            "is no schedule: its hour '22-2' has a range that ends before it begins; write its two parts with a comma between them",
        ),
        (
            "0 3 * * sat-sun",
            "is no schedule: its day-of-week 'sat-sun' has a range that ends before it begins; write its two parts with a comma between them",
        ),
        ("*/0 3 * * *", "is no schedule: its minute '*/0' has a step of 0; write 1 or more after the /"),
        ("5/15 3 * * *", "is no schedule: its minute '5/15' has a step after a single value; write 5-59/15 or */15"),
        ("0 0 31 2 *", "never comes: its month '2' has no day-of-month '31'; write a day that one of its months has"),
        (
            "0 0 31 4,jun */2",
            "never comes: its month '4,jun' has no day-of-month '31'; write a day that one of its months has",
        ),
    ],
)
def test_an_expression_that_cron_would_refuse_is_refused(expression: str, problem: str) -> None:
    """The message names the value, the wrong field and the mend, in one line."""
    with pytest.raises(ValueError, match=r"is no schedule|never comes") as caught:
        fields_of(expression)
    assert f"{expression!r} {problem}" == str(caught.value)
    assert 1 == len(str(caught.value).splitlines())


@pytest.mark.parametrize("number", ["9" * 10, "9" * 5000])
def test_a_number_of_any_length_is_refused(number: str) -> None:
    """A number with too many digits for Python's int is refused like any other."""
    with pytest.raises(ValueError, match=r"its minute '9+' is not understood by cron"):
        fields_of(f"{number} 3 * * *")


@given(st.text("0123456789*/,-#@LW? monSUN\n\t", max_size=15))
def test_every_accepted_expression_has_a_next_time(expression: str) -> None:
    """Any text is either refused, with itself in the message, or has a next time."""
    try:
        times = CronSchedule(expression, "UTC").after(START)
    except ValueError as error:
        words = str(error)
        assert words.startswith(repr(expression))
    else:
        assert START < next(times)


def test_a_zone_is_found_by_its_name() -> None:
    """Only names of the IANA database are zones: no path, no other file, and not the machine's own zone."""
    assert ZoneInfo(MALTA) is zone_of(MALTA)
    for name in (
        "",
        "Mars/Olympus",
        "Europe",
        "../etc/passwd",
        "/etc/localtime",
        "localtime",
        "right/UTC",
        "\0",
        "a\nb",
    ):
        with pytest.raises(ValueError, match="is no time zone") as caught:
            zone_of(name)
        assert f'{name!r} is no time zone; write one by its IANA name, such as "Europe/Malta"' == str(caught.value)
    with pytest.raises(ValueError, match="is no time zone"):
        CronSchedule("0 3 * * *", "Malta")
