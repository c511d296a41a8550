"""The scheduled times that are run, and the missed ones."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from retention.core.schedule.due import DueTimes, decide_by_period, decide_due

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
LATER = NOW + timedelta(days=1)
"""No daemon was up when the times came."""


def ago(seconds: float) -> datetime:
    """A moment in the past."""
    return NOW - timedelta(seconds=seconds)


def test_without_a_scheduled_time_no_run_is_due() -> None:
    """If no time has come, none is run and none is missed."""
    assert DueTimes((), ()) == decide_due([], NOW, timedelta(hours=6), ago(0))


@pytest.mark.parametrize(
    ("runs", "late", "catch_up", "watched_since"),
    [
        (True, 0, None, LATER),
        (False, 1, None, LATER),
        (True, 3600, timedelta(hours=1), LATER),
        (False, 3601, timedelta(hours=1), LATER),
        (True, 60, None, ago(60)),
        (False, 61, None, ago(61)),
        (False, 60, None, ago(59)),
        (True, 3600, timedelta(hours=1), ago(7200)),
        (True, 60, timedelta(seconds=1), ago(7200)),
        (False, 61, timedelta(seconds=1), ago(7200)),
    ],
)
def test_how_late_a_time_may_be_run_by_catch_up_and_grace(
    runs: bool, late: int, catch_up: timedelta | None, watched_since: datetime
) -> None:
    """A time is run within `catch_up`, or within a minute if a daemon was up when it came."""
    expected = DueTimes((ago(late),), ()) if runs else DueTimes((), (ago(late),))
    assert expected == decide_due([ago(late)], NOW, catch_up, watched_since)


def test_only_the_newest_of_several_times_is_run() -> None:
    """The older times are missed, oldest first, even if all are within `catch_up`."""
    times = [ago(300), ago(200), ago(100)]
    assert DueTimes((ago(100),), (ago(300), ago(200))) == decide_due(times, NOW, timedelta(hours=1), LATER)
    assert DueTimes((), tuple(times)) == decide_due(times, NOW, timedelta(seconds=99), LATER)


def test_each_period_that_was_missed_has_one_report() -> None:
    """Of several times with the same period the newest is made; without `catch_up` no period is too old."""
    times = [ago(400), ago(300), ago(200), ago(100)]
    due = decide_by_period(times, ["a", "a", "b", "b"], NOW, None, LATER)
    assert DueTimes((ago(300), ago(100)), (ago(400), ago(200))) == due


def test_a_period_beyond_catch_up_has_no_report() -> None:
    """With `catch_up`, the age of the newest time of each period decides; grace applies as to runs."""
    times = [ago(400), ago(300), ago(200), ago(50)]
    due = decide_by_period(times, ["a", "a", "b", "c"], NOW, timedelta(seconds=250), LATER)
    assert DueTimes((ago(200), ago(50)), (ago(400), ago(300))) == due
    assert DueTimes((ago(50),), ()) == decide_by_period([ago(50)], ["c"], NOW, timedelta(seconds=1), ago(60))
    assert DueTimes() == decide_by_period([], [], NOW, None, LATER)
