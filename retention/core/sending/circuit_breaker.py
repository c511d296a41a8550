"""Whether this process can reach one address of a partner.

An outage must not use up the attempts of every round. Therefore the breaker opens after a few failed connections in a
row: no request leaves for a pause that grows with each trip. After a failure it is half-open, and lets one connection
at a time be tried, until one succeeds. It gives the address up after as many trips as a round has attempts.
"""

from __future__ import annotations

from dataclasses import dataclass

from retention.core.sending.backoff import outage_pause

FAILURES_TO_OPEN = 3
"""Failed connections in a row that open the breaker."""


@dataclass(slots=True)
class CircuitBreaker:
    """The connections to one address, as this process made them. Times are seconds on the monotonic clock.

    `reached` and `failed`: a connection has ever succeeded, or ever failed. `why` is the last failure's reason.
    """

    max_attempts: int
    reached: bool = False
    failed: bool = False
    failures_in_row: int = 0
    trips: int = 0
    open_until_s: float = 0.0
    why: str | None = None

    def succeed(self) -> None:
        """Close the breaker: a connection was made."""
        self.reached, self.failures_in_row, self.trips, self.open_until_s, self.why = True, 0, 0, 0.0, None

    def fail(self, now_s: float, jitter: float, why: str | None = None) -> None:
        """Count a failed connection, and open the breaker after several in a row; `jitter` is random, from 0 to 1.

        The failures of one burst open it once: the later ones find it open already.
        """
        self.failed, self.why = True, why
        self.failures_in_row += 1
        if self.failures_in_row >= FAILURES_TO_OPEN and now_s >= self.open_until_s:
            self.trips += 1
            self.open_until_s = now_s + outage_pause(self.trips, jitter)

    @property
    def half_open(self) -> bool:
        """Whether the last connection failed, so that only one at a time is tried."""
        return self.failures_in_row > 0

    @property
    def gave_up(self) -> bool:
        """Whether it has tripped as often as a round has attempts, and no connection succeeded."""
        return self.trips >= self.max_attempts
