"""Checks the database's clock against this process's two clocks. Pure; times in seconds.

The database's clock decides, but is not trusted unchecked. Each claim, heartbeat and poll compares it with this
process's calendar clock and with its monotonic clock. `max_clock_difference` is always the current configuration's,
because the limit concerns machines. The comparison uses an interval as wide as the answer took, so a slow answer or a
frozen process is not a jump.

A jump of more than 2 s (leases have 5 s to spare) stops planning, claiming, deadlines and adoption, until the clock
was steady for a lease. Claims by such a clock are released unsent. Expiry uses the time without the jump, and each
process renews its own leases, so that processes that start later read them correctly.

Two gaps remain. A process may start within 0.4 s after a jump below `max_clock_difference`, before the others
renewed; and a settlement written meanwhile keeps the wrong time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

MAX_JUMP_S = 2.0
"""Seconds by which the database's clock may leave the monotonic clock at once: a lease has five to spare."""

MAX_DRIFT = 0.0005
"""Seconds per second by which a clock that is being slewed leaves the monotonic clock: NTP's fastest."""


class ClockReading(NamedTuple):
    """The database's clock showed `at` at some moment between two readings of this process's clocks.

    `asked` and `read` are monotonic; `wall_asked`, `wall_read` and `at` are counted from 1970.
    """

    at: float
    asked: float
    read: float
    wall_asked: float
    wall_read: float

    @property
    def difference(self) -> float:
        """By how much the database's clock is ahead of this process's calendar clock, at the least."""
        least, most = self.at - self.wall_read, self.at - self.wall_asked
        return min(max(0.0, least), most)


@dataclass(slots=True)
class ClockCheck:
    """What the readings so far say. `steady_s`: how long the clock has to be steady after a jump, a lease's length."""

    steady_s: float
    difference: float = 0.0
    jump: float = 0.0
    jumps: int = 0
    _least: float | None = None
    _most: float = 0.0
    _read: float = 0.0
    _steady_since: float = float("-inf")
    _trusted: float = 0.0

    def observe(self, reading: ClockReading) -> bool:
        """Take a reading in; returns whether it shows that the database's clock has jumped.

        The clocks' distance lies in an interval as wide as the answer took, so a slow answer or a process that stood
        still is no jump. A jump is an interval that lies apart from all that was known.
        """
        self.difference = reading.difference
        least, most = reading.at - reading.read, reading.at - reading.asked
        if self._least is None:
            self._least, self._most, self._read, self._trusted = least, most, reading.read, least
            return False
        allowed = MAX_JUMP_S + MAX_DRIFT * max(0.0, reading.read - self._read)
        step = least - self._most if least > self._most else min(0.0, most - self._least)
        self._read = max(self._read, reading.read)
        jumped = abs(step) > allowed
        if jumped:
            self._steady_since = reading.read
            self.jump = step
            self.jumps += 1
        if step:
            self._least, self._most = least, most
        else:
            self._least, self._most = max(self._least, least), min(self._most, most)
        if self.steady(reading.read):
            self._trusted = self._least
        return jumped

    def steady(self, now: float) -> bool:
        """Whether the clock has not jumped for as long as a lease lasts."""
        return now >= self._steady_since + self.steady_s

    def database_time(self, now: float) -> float | None:
        """The database's time as the monotonic clock counts it on, past every jump that is younger than a lease."""
        return None if self._least is None else now + self._trusted

    def agrees(self, limit: float, now: float) -> bool:
        """Whether planning and claiming may rely on the database's clock."""
        return abs(self.difference) <= limit and self.steady(now)

    def problem(self, limit: float, now: float) -> str | None:
        """Say why the clock is not relied on; None where it is."""
        if abs(self.difference) > limit:
            return (
                f"the database's clock is {offset_text(self.difference)} this process's (limit {limit:.0f} s);"
                " set one of them right, or raise max_clock_difference"
            )
        if not self.steady(now):
            way = "forward" if self.jump > 0 else "back"
            return (
                f"the database's clock jumped {way} by {abs(self.jump):.1f} s;"
                f" nothing is planned or claimed before it has been steady for {self.steady_s:.0f} s"
            )
        return None


def offset_text(seconds: float) -> str:
    """Say how far one clock is from another, such as `0.02 s ahead of`."""
    amount = f"{abs(seconds):.0f} s" if abs(seconds) >= 10 else f"{abs(seconds):.2f} s"  # noqa: PLR2004 - seconds
    return f"{amount} {'behind' if seconds < 0 else 'ahead of'}"
