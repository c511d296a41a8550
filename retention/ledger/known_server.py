"""The database server on which one process may claim."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


class KnownServer:
    """Knows when the database's server started: a server that crashed or was promoted may lack claims.

    On such a server the process claims nothing for the length of a lease. Meanwhile each process restores its lost
    claims, and every earlier request ends. One object serves all runs of a process, so a run that it joins waits too.
    A process that begins after the change knows no earlier server: the ledger has, for each partner, the last one on
    which a process has waited.
    """

    def __init__(self) -> None:
        self._before: datetime | None = None
        self._seen: datetime | None = None
        self._seen_at = 0.0

    def observe(self, started: datetime, now: float) -> None:
        """Record the start of the server that has just answered; `now` in seconds on the monotonic clock."""
        if started != self._seen:
            self._before, self._seen, self._seen_at = self._seen, started, now

    def for_claims(self, lease: float, now: float) -> datetime | None:
        """The start of the server on which claims with this lease are allowed; None before the first heartbeat."""
        taken_over = self._before is not None and now - self._seen_at < lease
        return self._before if taken_over else self._seen

    def awaited(self, lease: float, now: float) -> datetime | None:
        """The start of the server on which this process has waited for a whole lease; None before."""
        return self._seen if self._seen is not None and now - self._seen_at >= lease else None
