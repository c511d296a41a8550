"""What a sender does with its slot: pure arithmetic over a monotonic clock, in seconds."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

SPACING = 0.98
"""Share of the rate at which slots are reserved: jitter on the way to the vendor's door is not ours to spend."""

TOLERANCE = 0.012
"""Seconds by which a slot may be used late without being counted."""

LATE_SHARE = 0.002
"""Share of the rate that may be sent in slots missed by more than the tolerance: spacing and tolerance leave that."""


LOOK_GOOD_S = 0.85
"""Seconds from asking the database for a claim until its request has left: its look at the operator's view, the holds
and the kill switch is young then. A second is promised; the rest is for what no clock of ours sees."""

HORIZON_S = 0.6
"""Seconds within which a claim's slots begin, so that its requests can leave while the look is young."""

TOLD_GOOD_S = 55.0
"""Seconds for which a claim may rely on the vendor's word that a round is in progress. A minute is promised."""


def batch_size(rate: float, most: int) -> int:
    """Rounds to claim at once: the slots that a look allows, so that a pause or a kill switch finds little to undo."""
    return max(1, min(most, int(rate * HORIZON_S)))


LONGEST_ANSWER = 0.25
"""Seconds: the database's answers are expected to take no longer."""


@dataclass(slots=True)
class DatabaseClock:
    """The database's clock as this process's monotonic clock has it, in seconds, and how long its answers take.

    What the database says of a moment is read some time after it, and a slot counted from the reading would be late by
    as much, in the midst of the next slots. The quickest answer tells best how far the clocks are apart; what cannot be
    true any more, as the question came later than that, is given up, since clocks drift and are set.
    """

    ahead: float | None = None
    delay: float = 0.02

    def note(self, asked: float, at: float, read: float) -> float:
        """Take in that it showed `at` at some moment between `asked` and `read`; returns by how much it is ahead."""
        least, most = at - read, at - asked
        self.ahead = least if self.ahead is None else min(max(self.ahead, least), most)
        self.delay = min(max(read + self.ahead - at, self.delay / 2), LONGEST_ANSWER)
        return self.ahead


@dataclass(slots=True)
class LateBudget:
    """How many requests may still go out behind their slot without a burst at the vendor's door.

    A late request falls together with those whose turn it is. A slot that is missed is therefore lost, unless the
    margin between the rate and the pace has room for it: then nothing is gained by reserving another one.
    """

    rate: float
    spent: deque[float] = field(default_factory=deque)

    def allows(self, slot: float, now: float) -> bool:
        """Whether a request may leave now whose slot was `slot`."""
        if now - slot <= TOLERANCE:
            return True
        while self.spent and now - self.spent[0] >= 1:
            self.spent.popleft()
        if len(self.spent) + 1 > self.rate * LATE_SHARE:
            return False
        self.spent.append(now)
        return True
