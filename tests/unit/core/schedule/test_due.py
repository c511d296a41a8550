"""Which of the times that have come is run, and which are missed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from retention.core.schedule.due import DueTimes, decide_due

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
LATER = NOW + timedelta(days=1)
"""Nobody looked at any of the times when it came."""


def ago(seconds: float) -> datetime:
    """A moment in the past."""
    return NOW - timedelta(seconds=seconds)


def test_where_no_time_has_come_nothing_is_due() -> None:
    """Without a time there is nothing to run, and nothing is missed."""
    assert DueTimes(None, ()) == decide_due([], NOW, timedelta(hours=6), ago(0))


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
def test_how_late_a_time_may_be(runs: bool, late: int, catch_up: timedelta | None, watched_since: datetime) -> None:
    """A time is run within what the policy catches up, or within a minute if somebody looked when it came."""
    expected = DueTimes(ago(late), ()) if runs else DueTimes(None, (ago(late),))
    assert expected == decide_due([ago(late)], NOW, catch_up, watched_since)


def test_of_several_times_only_the_newest_is_run() -> None:
    """The older ones are missed, the oldest first, also where all of them could still be caught up."""
    times = [ago(300), ago(200), ago(100)]
    assert DueTimes(ago(100), (ago(300), ago(200))) == decide_due(times, NOW, timedelta(hours=1), LATER)
    assert DueTimes(None, tuple(times)) == decide_due(times, NOW, timedelta(seconds=99), LATER)
