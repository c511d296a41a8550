"""Which of the times that have come is run, and which are missed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

GRACE = timedelta(seconds=60)
"""A time that came while somebody looked is not missed for being this late: a database restarts, a process stalls."""


@dataclass(frozen=True, slots=True)
class DueTimes:
    """What is to become of the times: at most the newest is run. `missed` has the oldest first."""

    run: datetime | None = None
    missed: tuple[datetime, ...] = ()


def decide_due(
    times: Sequence[datetime], now: datetime, catch_up: timedelta | None, watched_since: datetime
) -> DueTimes:
    """Decide about the times that have come and have no run yet, the oldest first.

    The newest is run where it is not older than `catch_up`, or where somebody looked when it came (`watched_since`)
    and little more than a moment has gone since. All others are missed: one run finds what theirs would have found.
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
