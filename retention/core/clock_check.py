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
"""The largest step of the database's clock that is no jump; a lease has five seconds to spare."""

MAX_DRIFT = 0.0005
"""Seconds per second that NTP may slew a clock at its fastest."""


class ClockReading(NamedTuple):
    """The database's time `at`, taken between two readings of this process's clocks.

    `queried` and `read` are monotonic seconds; `wall_queried`, `wall_read` and `at` are seconds since 1970.
    """

    at: float
    queried: float
    read: float
    wall_queried: float
    wall_read: float

    @property
    def difference(self) -> float:
        """The least possible lead of the database's clock over this process's calendar clock, in seconds."""
        least, most = self.at - self.wall_read, self.at - self.wall_queried
        return min(max(0.0, least), most)


@dataclass(slots=True)
class ClockCheck:
    """The verdict of the readings so far. After a jump the clock has to be steady for `steady_s`, a lease's length."""

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
        """Record a reading; returns whether it shows a jump of the database's clock.

        A reading bounds the clocks' distance by an interval as wide as the round trip. A slow answer or a frozen
        process only widens it, so a jump is an interval that does not meet the earlier ones.
        """
        self.difference = reading.difference
        least, most = reading.at - reading.read, reading.at - reading.queried
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
        """Tell whether the last jump is at least a lease's length ago."""
        return now >= self._steady_since + self.steady_s

    def database_time(self, now: float) -> float | None:
        """The database's time by the monotonic clock. A jump counts only once it is older than a lease."""
        return None if self._least is None else now + self._trusted

    def agrees(self, limit: float, now: float) -> bool:
        """Tell whether planning and claiming may rely on the database's clock; `limit` in seconds."""
        return abs(self.difference) <= limit and self.steady(now)

    def problem(self, limit: float, now: float) -> str | None:
        """Say why planning and claiming may not rely on the clock; None where they may."""
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
    """Write the offset of one clock from another, such as `0.02 s ahead of`."""
    amount = f"{abs(seconds):.0f} s" if abs(seconds) >= 10 else f"{abs(seconds):.2f} s"  # noqa: PLR2004 - seconds
    return f"{amount} {'behind' if seconds < 0 else 'ahead of'}"
