"""Decides which scheduled times are run and which are missed.

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
    """The decision about scheduled times that have come: the one to run, if any, and the missed ones, oldest first."""

    run: datetime | None = None
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
    allowed = catch_up or timedelta()
    if newest >= watched_since:
        allowed = max(allowed, GRACE)
    if now - newest <= allowed:
        return DueTimes(newest, tuple(times[:-1]))
    return DueTimes(None, tuple(times))
