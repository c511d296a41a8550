"""What a process knows of an address being reachable."""

from __future__ import annotations

from dataclasses import dataclass

from retention.core.sending.backoff import outage_pause

FAILURES_TO_OPEN = 3
"""Connections in a row that could not be made before the partner counts as out of reach."""


@dataclass(slots=True)
class CircuitBreaker:
    """What this process knows of an address being reachable; times in seconds on the monotonic clock."""

    max_attempts: int
    reached: bool = False
    failed: bool = False
    streak: int = 0
    outages: int = 0
    until: float = 0.0
    why: str | None = None
    """What kept the last connection from being made."""

    def connected(self) -> None:
        """A connection was made."""
        self.reached, self.streak, self.outages, self.until, self.why = True, 0, 0, 0.0, None

    def not_connected(self, now: float, fraction: float, why: str | None = None) -> None:
        """None was, and why. The failures of one burst count once: those behind the first find the pause set."""
        self.failed, self.why = True, why
        self.streak += 1
        if self.streak >= FAILURES_TO_OPEN and now >= self.until:
            self.outages += 1
            self.until = now + outage_pause(self.outages, fraction)

    @property
    def lost(self) -> bool:
        """Whether it was tried as often as a round may be, with growing pauses, and never answered."""
        return self.outages >= self.max_attempts
