"""What a batch of settlements does next when the database did not take it."""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from retention.core.evidence.closing import ClosingRefusal
from retention.core.sending.database_errors import ErrorClass

if TYPE_CHECKING:
    from collections.abc import Sequence

    from retention.core.model import Settlement

WHOLE_TRIES = 2
"""Tries of a batch that others are in the way of, before its halves are tried on their own."""

BUSY_PAUSE_S = 0.5
"""Seconds between two tries of what others are in the way of."""


class NextWrite(enum.Enum):
    """What is done with a batch that failed."""

    WAIT = "wait"
    """The same again, after a pause."""
    HALVE = "halve"
    """Each half on its own: one round of it may be the reason."""
    WITHOUT_CLOSING = "without_closing"
    """The ledger alone, with the database's message: the operator's function does not close this round."""
    GIVE_UP = "give_up"
    """The ledger itself cannot take this row."""


@dataclass(frozen=True, slots=True)
class SettleBatch:
    """Settlements that are written together, no two for the same cancellation.

    `close_error`: the operator's function is not called, and this message is recorded. `again`: an earlier try may
    have been committed, its answer lost. `busy_since`: when others were first in the way, `due` when the next try is:
    seconds on this process's monotonic clock. `busy_with`: what the database said of them last.
    """

    items: Sequence[Settlement]
    close_error: str | None = None
    again: bool = False
    tries: int = 0
    busy_since: float | None = None
    busy_with: str | None = None
    due: float = 0.0

    def halves(self) -> tuple[SettleBatch, SettleBatch]:
        """Both halves, each of which starts counting its tries anew."""
        half = len(self.items) // 2
        return (replace(self, items=self.items[:half], tries=0), replace(self, items=self.items[half:], tries=0))

    def waits(self, now: float, message: str) -> SettleBatch:
        """The same, to be tried again after a pause."""
        since = now if self.busy_since is None else self.busy_since
        return replace(self, tries=self.tries + 1, busy_since=since, busy_with=message, due=now + BUSY_PAUSE_S)

    def has_waited(self, now: float, patience_s: float) -> bool:
        """Whether others have been in the way for so long that its rounds are settled without being closed."""
        return self.busy_since is not None and self.close_error is None and now - self.busy_since >= patience_s

    def without_closing(self, message: str) -> SettleBatch:
        """The ledger alone, with the database's message."""
        return replace(self, close_error=str(ClosingRefusal(message)))


def after_failure(batch: SettleBatch, trouble: ErrorClass, *, now: float, patience_s: float) -> NextWrite:
    """Decide what a batch does next. `patience_s`: how long others may be in the way of one round, in seconds."""
    alone = len(batch.items) == 1
    if trouble is ErrorClass.BUSY:
        waited = 0.0 if batch.busy_since is None else now - batch.busy_since
        if waited < patience_s:
            return NextWrite.HALVE if not alone and batch.tries + 1 >= WHOLE_TRIES else NextWrite.WAIT
        if batch.close_error is not None:
            return NextWrite.WAIT
    if not alone:
        return NextWrite.HALVE
    return NextWrite.WITHOUT_CLOSING if batch.close_error is None else NextWrite.GIVE_UP
