"""The database server on which one process may claim."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retention.core.clock_check import MAX_JUMP_S

if TYPE_CHECKING:
    from datetime import datetime

ESTIMATE_S = 1.0
"""Seconds by which a process may misjudge the database's clock, by which it tells when its question left."""


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

    def told_within(self, good_s: float, began: float, now: float) -> float:
        """For how many of the last `good_s` seconds this process may believe the vendor's answers that are on record.

        A server that took over may have kept the answer, and have lost the cancel that it permitted. So no answer
        counts from before this server was met, nor from before `began`, when this process came to its run.
        """
        since = began - ESTIMATE_S
        if self._before is not None:
            since = max(since, self._seen_at + MAX_JUMP_S)
        return min(good_s, max(0.0, now - since))

    def awaited(self, lease: float, now: float) -> datetime | None:
        """The start of the server on which this process has waited for a whole lease; None before."""
        return self._seen if self._seen is not None and now - self._seen_at >= lease else None
