"""Decides which scheduled times have a run or a report, and which are missed.

A schedule has its own row (`schedules.processed_until`). Without it, a time missed before the first run could not be
told from a time before the schedule existed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

GRACE = timedelta(seconds=60)
"""How late a time may be run without `catch_up` if a daemon was up when it came: databases restart, processes stall."""


@dataclass(frozen=True, slots=True)
class DueTimes:
    """The decision about scheduled times that have come: the ones to run or make, and the missed ones, oldest first."""

    chosen: tuple[datetime, ...] = ()
    missed: tuple[datetime, ...] = ()


def decide_due(
    times: Sequence[datetime], now: datetime, catch_up: timedelta | None, watched_since: datetime
) -> DueTimes:
    """Decide about the times that have come and have no run yet, given oldest first.

    Only the newest time can be run, because its run finds every round that the older ones would have found. It is run
    if it is at most `catch_up` old. `GRACE` applies too if this daemon was already up when it came (`watched_since`).
    """
    if not times:
        return DueTimes()
    newest = times[-1]
    if _in_time(newest, now, catch_up or timedelta(), watched_since):
        return DueTimes((newest,), tuple(times[:-1]))
    return DueTimes((), tuple(times))


def decide_by_period(
    times: Sequence[datetime],
    periods: Sequence[str],
    now: datetime,
    catch_up: timedelta | None,
    watched_since: datetime,
) -> DueTimes:
    """Decide about the times of a report that have come, given oldest first; `periods` names the period of each.

    Each period has one report, at its newest time: a report of an older time would be replaced at once. Without
    `catch_up`, no period is too old: each report is of other rounds. `GRACE` applies as to runs.
    """
    newest = dict(zip(periods, times, strict=True)).values()
    chosen = tuple(time for time in newest if catch_up is None or _in_time(time, now, catch_up, watched_since))
    return DueTimes(tuple(sorted(chosen)), tuple(time for time in times if time not in chosen))


def _in_time(time: datetime, now: datetime, catch_up: timedelta, watched_since: datetime) -> bool:
    """Whether a time has not passed for too long."""
    return now - time <= (max(catch_up, GRACE) if time >= watched_since else catch_up)
