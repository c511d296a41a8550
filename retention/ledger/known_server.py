"""Which database server claims may be made on, as one process knows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


class KnownServer:
    """When the database's server started: a server that has taken over, or has crashed, may lack claims.

    On such a one nothing is claimed for a lease's length: each process records its lost claims again, and no request
    from before is in flight after that. One object serves all runs of a process: one joined just then waits too.
    """

    def __init__(self) -> None:
        self._before: datetime | None = None
        self._seen: datetime | None = None
        self._seen_at = 0.0

    def observe(self, started: datetime, now: float) -> None:
        """Note when the server started that has just answered; `now` in seconds on the monotonic clock."""
        if started != self._seen:
            self._before, self._seen, self._seen_at = self._seen, started, now

    def for_claims(self, lease: float, now: float) -> datetime | None:
        """When the server started that claims of so long a lease may be made on; None before the first look at one."""
        taken_over = self._before is not None and now - self._seen_at < lease
        return self._before if taken_over else self._seen
