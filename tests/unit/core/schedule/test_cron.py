"""The times of schedules, above all across clock changes: to the minute the times of Debian's cron."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import islice, takewhile
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import example, given, settings
from hypothesis import strategies as st

from retention.core.schedule.cron import CronSchedule

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MALTA, LORD_HOWE = "Europe/Malta", "Australia/Lord_Howe"
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def due(expression: str, zone: str, since: str, days: int) -> list[str]:
    """The times after a moment in UTC, for some days, with their offsets; `after` and `between` must agree."""
    schedule, start = CronSchedule(expression, zone), utc(since)
    times = list(takewhile(lambda time: time.astimezone(UTC) <= start + days * DAY, schedule.after(start)))
    assert times == schedule.between(start, start + days * DAY, 10_000)
    assert {schedule.zone} == {time.tzinfo for time in times}
    return [time.isoformat(timespec="minutes") for time in times]


SPRING, AUTUMN = "2026-03-28T12:00", "2026-10-24T12:00"
FORWARD, BACK = "2026-10-03T12:00", "2026-04-04T12:00"


@pytest.mark.parametrize(
    ("expression", "zone", "since", "expected"),
    [
        # Malta's clocks skip 02:00 to 03:00, and show it twice in autumn.
        ("30 2 * * *", MALTA, SPRING, ["2026-03-29T03:00+02:00", "2026-03-30T02:30+02:00"]),
        ("0,30 2 * * *", MALTA, SPRING, ["2026-03-29T03:00+02:00", "2026-03-30T02:00+02:00", "2026-03-30T02:30+02:00"]),
        ("0 2,3 * * *", MALTA, SPRING, ["2026-03-29T03:00+02:00", "2026-03-30T02:00+02:00", "2026-03-30T03:00+02:00"]),
        ("30 1 * * *", MALTA, SPRING, ["2026-03-29T01:30+01:00", "2026-03-30T01:30+02:00"]),
        ("30 */8,2 29 3 *", MALTA, SPRING, [f"2026-03-29T{time}:00" for time in ("00:30+01", "08:30+02", "16:30+02")]),
        ("*/30 2 * * *", MALTA, SPRING, ["2026-03-30T02:00+02:00", "2026-03-30T02:30+02:00"]),
        ("30 2 * * *", MALTA, AUTUMN, ["2026-10-25T02:30+02:00", "2026-10-26T02:30+01:00"]),
        ("0 3 * * *", MALTA, AUTUMN, ["2026-10-25T03:00+01:00", "2026-10-26T03:00+01:00"]),
        (
            "*/30 2 25 * *",
            MALTA,
            AUTUMN,
            ["2026-10-25T02:00+02:00", "2026-10-25T02:30+02:00", "2026-10-25T02:00+01:00", "2026-10-25T02:30+01:00"],
        ),
        (
            "30 */9,2 25 10 *",
            MALTA,
            AUTUMN,
            [f"2026-10-25T{at}:00" for at in ("00:30+02", "02:30+02", "02:30+01", "09:30+01", "18:30+01")],
        ),
        # Lord Howe's skip 02:00 to 02:30, and show 01:30 to 02:00 twice.
        ("15 2 * * *", LORD_HOWE, FORWARD, ["2026-10-04T02:30+11:00", "2026-10-05T02:15+11:00"]),
        ("0,30 2 4 10 *", LORD_HOWE, FORWARD, ["2026-10-04T02:30+11:00"]),
        (
            "15 */4 4 10 *",
            LORD_HOWE,
            FORWARD,
            [
                f"2026-10-04T{at}"
                for at in ("00:15+10:30", "04:15+11:00", "08:15+11:00", "12:15+11:00", "16:15+11:00", "20:15+11:00")
            ],
        ),
        ("*/20 2 4 10 *", LORD_HOWE, FORWARD, ["2026-10-04T02:40+11:00"]),
        ("45 1 * * *", LORD_HOWE, BACK, ["2026-04-05T01:45+11:00", "2026-04-06T01:45+10:30"]),
        (
            "15 */4 5 4 *",
            LORD_HOWE,
            BACK,
            [
                f"2026-04-05T{at}"
                for at in ("00:15+11:00", "04:15+10:30", "08:15+10:30", "12:15+10:30", "16:15+10:30", "20:15+10:30")
            ],
        ),
        (
            "*/20 1 5 4 *",
            LORD_HOWE,
            BACK,
            ["2026-04-05T01:00+11:00", "2026-04-05T01:20+11:00", "2026-04-05T01:40+11:00", "2026-04-05T01:40+10:30"],
        ),
        # St. John's clocks went from 00:01 back to 23:01 of the day before.
        ("30 23 * * *", "America/St_Johns", "2006-10-28T12:00", ["2006-10-28T23:30-02:30", "2006-10-29T23:30-03:30"]),
        # Casey's went forward by three hours, which is the least that cron takes for a correction.
        ("0 3 * * *", "Antarctica/Casey", "2009-10-17T12:00", ["2009-10-19T03:00+11:00"]),
        # Apia's had no 30 December 2011, which is more than cron makes up for.
        ("0 3 * * *", "Pacific/Apia", "2011-12-29T12:00", ["2011-12-29T03:00-10:00", "2011-12-31T03:00+14:00"]),
    ],
)
def test_cron_times_across_a_clock_change(expression: str, zone: str, since: str, expected: list[str]) -> None:
    """Skipped times are made up for at once, repeated ones run once; wildcard jobs follow the clock."""
    assert expected == due(expression, zone, since, 2)


@pytest.mark.parametrize(
    ("expression", "moment", "newest", "following"),
    [
        ("30 2 * * *", "2026-10-25T01:10", "2026-10-25T00:30", "2026-10-26T01:30"),
        ("*/20 * * * *", "2026-10-25T00:20", "2026-10-25T00:20", "2026-10-25T00:40"),
        ("*/20 * * * *", "2026-10-25T00:50", "2026-10-25T00:40", "2026-10-25T01:00"),
        ("*/20 * * * *", "2026-10-25T01:10", "2026-10-25T01:00", "2026-10-25T01:20"),
        ("50 * * * *", "2026-10-25T01:10", "2026-10-25T00:50", "2026-10-25T01:50"),
        ("30 2 * * *", "2026-03-29T00:59:59.9", "2026-03-28T01:30", "2026-03-29T01:00"),
        ("30 2 * * *", "2026-03-29T01:00", "2026-03-29T01:00", "2026-03-30T00:30"),
    ],
)
def test_a_start_inside_a_clock_change_separates_past_times_from_later_ones(
    expression: str, moment: str, newest: str, following: str
) -> None:
    """A start inside a repeated hour, or at the end of a skipped one, repeats no past time and loses no later one."""
    schedule, now = CronSchedule(expression, MALTA), utc(moment)
    assert [utc(newest)] == [time.astimezone(UTC) for time in schedule.between(now - 2 * DAY, now, 1)]
    assert utc(following) == next(schedule.after(now)).astimezone(UTC)


def test_both_ends_of_a_span_are_as_documented() -> None:
    """`after` excludes its moment; `between` excludes `since`, includes `until`, and keeps the newest times."""
    schedule, noon = CronSchedule("* * * * *", MALTA), utc("2026-01-01T12:00")
    assert noon + MINUTE == next(schedule.after(noon))
    assert [noon + MINUTE, noon + 2 * MINUTE] == schedule.between(noon, noon + 2 * MINUTE, 5)
    assert [noon + 2 * MINUTE] == schedule.between(noon, noon + 2.9 * MINUTE, 1)
    assert [] == schedule.between(noon, noon + 0.9 * MINUTE, 5)
    assert [] == schedule.between(noon, noon - DAY, 5)


def test_the_newest_times_are_found_without_the_older_ones() -> None:
    """The newest two of fifty years of minutes are found as fast as those of one day."""
    until = utc("2026-01-01T12:00")
    assert [until - MINUTE, until] == CronSchedule("* * * * *", MALTA).between(until - 18_000 * DAY, until, 2)


# A model of Debian's cron(8) without any library: the loop of its cron.c, minute by minute.

NAMES = {
    name: n
    for names in ("sun mon tue wed thu fri sat", "- jan feb mar apr may")
    for n, name in enumerate(names.split())
}


def values(field: str, low: int, high: int) -> set[int]:
    """The values of a crontab's field."""
    found = set()
    for term in field.split(","):
        span, _, step = term.partition("/")
        first, _, last = span.partition("-")
        ends = (str(low), str(high)) if span == "*" else (first, last or first)
        start, stop = (int(NAMES.get(end.lower(), end)) for end in ends)
        found |= set(range(start, stop + 1, int(step or 1)))
    return found


@cache
def clock(zone: str, middle: datetime) -> list[tuple[datetime, datetime]]:
    """Each minute of the day before and of the day after, with the wall-clock time of that zone."""
    minutes = [middle - DAY + n * MINUTE for n in range(2 * 24 * 60)]
    return [(minute, minute.astimezone(ZoneInfo(zone)).replace(tzinfo=None)) for minute in minutes]


def debian(expression: str, minutes: Sequence[tuple[datetime, datetime]]) -> Iterator[datetime]:
    """The times at which cron starts the job. `virtual` is the clock without the change."""
    fields = expression.split()
    minute, hour, day, month, weekday = (
        values(field, *span) for field, span in zip(fields, ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7)), strict=True)
    )
    wild = "*" in {fields[0][0], fields[1][0]}
    both = "*" in {fields[2][0], fields[4][0]}

    def matches(time: datetime) -> bool:
        if time.minute not in minute or time.hour not in hour or time.month not in month:
            return False
        days = (time.day in day, bool({time.isoweekday(), time.isoweekday() % 7} & weekday))
        return all(days) if both else any(days)

    virtual = minutes[0][1] - MINUTE
    for now, shown in minutes:
        jump = (shown - virtual) // MINUTE
        if -180 < jump <= 0:  # the clock went back: wildcard jobs only, until it has caught up
            if wild and matches(shown):
                yield now
            continue
        skipped = [virtual + n * MINUTE for n in range(1, jump + 1)] if 1 < jump <= 180 and not wild else [shown]
        if any(map(matches, skipped)):
            yield now
        virtual = shown


CHANGES = [
    (MALTA, utc("2026-03-29T01:00")),
    (MALTA, utc("2026-10-25T01:00")),
    (LORD_HOWE, utc("2026-04-04T15:00")),
    (LORD_HOWE, utc("2026-10-03T15:30")),
    ("America/New_York", utc("2026-03-08T07:00")),
    ("America/New_York", utc("2026-11-01T06:00")),
    ("America/St_Johns", utc("2006-04-02T03:31")),
    ("America/St_Johns", utc("2006-10-29T02:31")),
    ("Africa/Casablanca", utc("2026-02-15T02:00")),
    ("Africa/Casablanca", utc("2026-03-22T02:00")),
    ("Pacific/Apia", utc("2011-12-30T10:00")),
    ("Asia/Kolkata", utc("2026-12-31T18:30")),
    ("UTC", utc("2028-02-29T00:00")),
]


def assert_as_debian(expression: str, change: tuple[str, datetime], start: datetime) -> None:
    """A schedule has the times of the model, forwards and backwards."""
    zone, _ = change
    end = clock(*change)[-1][0]
    expected = [time for time in debian(expression, clock(*change)) if time > start]
    schedule = CronSchedule(expression, zone)
    assert expected == [
        time.astimezone(UTC) for time in takewhile(lambda t: t.astimezone(UTC) <= end, schedule.after(start))
    ]
    assert expected == [time.astimezone(UTC) for time in schedule.between(start, end, len(expected) + 1)]
    assert expected[-2:] == [time.astimezone(UTC) for time in schedule.between(start, end, 2)]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: f"{change[0]}-{change[1]:%Y-%m-%d}")
def test_the_days_around_a_change_are_debians(change: tuple[str, datetime]) -> None:
    """Around every clock change, fixed-time and wildcard jobs are due when Debian's cron runs them."""
    for expression in (
        *(
            f"{minute} {hour} * * *"
            for minute in ("0", "15", "45", "*/20")
            for hour in ("*", "0", "1", "2", "*/4", "0-3,22,23")
        ),
        "0,30 1-3 * * *",
        "5-55/10 0,2 * * sun",
        "30 23 */2 * *",
        "0 0 1,30,31 * 1",
    ):
        assert_as_debian(expression, change, change[1] - DAY)


def fields(low: int, high: int, *words: str) -> st.SearchStrategy[str]:
    """Fields of a crontab, with names and steps."""
    number = st.integers(low, high)
    span = st.tuples(number, number).map(lambda ends: f"{min(ends)}-{max(ends)}")
    step = st.integers(1, high)
    term = st.one_of(
        number.map(str),
        span,
        st.builds("{}/{}".format, span, step),
        st.builds("*/{}".format, step),
        *map(st.just, words),
    )
    return st.one_of(st.just("*"), term, st.lists(term, min_size=2, max_size=3).map(",".join))


EXPRESSIONS = st.builds(
    "{} {} {} {} {}".format,
    fields(0, 59),
    fields(0, 23, "1", "2", "0-3"),
    st.one_of(st.just("*"), fields(1, 31)),
    st.just("*") | st.sampled_from(["jan-may,9-12", "3,4,10", "*/2"]),
    st.one_of(st.just("*"), fields(0, 7, "SUN", "mon-fri")),
)


@settings(deadline=None, max_examples=60, database=None, derandomize=True)
@given(EXPRESSIONS, st.sampled_from(CHANGES), st.integers(0, 2 * 86_400 - 120))
@example("15 */4 * * *", CHANGES[3], 0)
def test_any_schedule_is_due_when_debians_cron_runs_it(
    expression: str, change: tuple[str, datetime], seconds: int
) -> None:
    """Generated schedules, started at any second around a clock change, have the times of the model."""
    assert_as_debian(expression, change, change[1] - DAY + timedelta(seconds=seconds))


@settings(deadline=None, max_examples=60, database=None, derandomize=True)
@given(EXPRESSIONS, st.sampled_from(["UTC", "Asia/Kolkata"]), st.integers(0, 2_000_000_000))
def test_where_no_clock_changes_it_is_cronsim(expression: str, zone: str, seconds: int) -> None:
    """In a zone with one offset, a schedule has exactly the times of cronsim."""
    start = datetime.fromtimestamp(1_000_000_000 + seconds, ZoneInfo(zone))
    schedule = CronSchedule(expression, zone)
    assert list(islice(CronSim(schedule.fields, start), 5)) == list(islice(schedule.after(start), 5))
