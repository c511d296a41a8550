"""Slots: when a request may leave, so that no sliding second at the vendor exceeds the rate.

A slot is a moment of the database's clock. Slots begin when an answer can be there. When slots were computed from the
time of reading, a late answer shifted a batch into the next batch's slots: the worst second exceeded the rate by 20 %.
Slots come at 0.98 of the rate: a lateness of 0.012 s passes unnoticed, and 0.002 of the rate may leave later still, in
each process. A missed slot is lost and never caught up, except within that margin (`LateBudget`). All times in seconds.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

SPACING = 0.98
"""Share of the rate at which slots are reserved: the rest is for jitter on the way to the vendor."""

TOLERANCE = 0.012
"""Seconds by which a slot may be used late without being counted."""

LATE_SHARE = 0.002
"""Share of the rate that may leave later than the tolerance: spacing and tolerance leave room for it."""

LOOK_GOOD_S = 0.85
"""Seconds from asking the database for a claim until its request must have left: its look at the operator's view, the
holds and the kill switch is young then. The contract promises a second; the rest is for unmeasured delays."""

HORIZON_S = 0.6
"""Seconds within which a claim's slots begin, so that its requests can leave while the look is young."""

PROBE_GOOD_S = 55.0
"""Seconds for which a probe's answer permits a cancel. The contract promises a minute."""

RATE_RECOVERY_PER_S = 0.02
"""Share of the configured rate by which a throttled rate grows back each second."""

GROUP_REGROWTH_S = 5.0
"""Seconds between two jumps of a throttled group's rate: each jump leaves a few slots of the group unused."""

THROTTLED_TOGETHER_S = 60.0
"""Seconds within which the 429s of two partners of a group mean the limit that they share."""

EXCESS_S = 0.2
"""Seconds ahead within which a partner takes slots of its group beyond its share. Later slots, up to the horizon, stay
for partners that have had less; these look for slots every 0.1 s."""

WANTS_S = 1.5
"""Seconds for which a partner that wanted slots of its group counts when the group is shared out."""


def batch_size(rate: float, most: int) -> int:
    """Rounds to claim at once: the slots inside the horizon, so that a pause finds few claims to release."""
    return max(1, min(most, int(rate * HORIZON_S)))


def late_rate(rate: float, group_rate: float, parts: int) -> float:
    """The rate whose late share (`LATE_SHARE`) one kind of request may use up in a process.

    A group has one margin for all its requests, so each of its `parts` (a partner's kind of request) has a part of it.
    """
    return min(rate, group_rate / parts)


LONGEST_ANSWER_S = 0.25
"""Seconds that an answer of the database is expected to take, at the most."""


@dataclass(slots=True)
class DatabaseClock:
    """The offset from this process's monotonic clock to the database's clock, and the delay of its answers, in seconds.

    A timestamp from the database is already old when we read it. Slots computed from the time of reading would be late
    and collide with the next batch. The fastest round trip gives the best estimate of the offset. Estimates that a
    later round trip disproves are discarded, because clocks drift and are set.
    """

    offset_s: float | None = None
    delay_s: float = 0.02

    def observe(self, queried: float, at: float, read: float) -> float:
        """Learn that the clock showed `at` at some moment between `queried` and `read`; returns the offset."""
        least, most = at - read, at - queried
        self.offset_s = least if self.offset_s is None else min(max(self.offset_s, least), most)
        self.delay_s = min(max(read + self.offset_s - at, self.delay_s / 2), LONGEST_ANSWER_S)
        return self.offset_s


@dataclass(slots=True)
class LateBudget:
    """How many requests may still leave after their slots without a burst at the vendor.

    A late request coincides with the requests of the present slots. A missed slot is therefore lost, unless the margin
    between the rate and the spacing has room for it; then a new slot would gain nothing.
    """

    rate: float
    spent: deque[float] = field(default_factory=deque)

    def allows(self, slot: float, now: float) -> bool:
        """Whether a request with this slot may leave now."""
        if now - slot <= TOLERANCE:
            return True
        while self.spent and now - self.spent[0] >= 1:
            self.spent.popleft()
        if len(self.spent) + 1 > self.rate * LATE_SHARE:
            return False
        self.spent.append(now)
        return True
