"""The next step of a batch of settlements that the database did not take, as data.

The operator's function may refuse one round, and foreign locks may hold one up. Neither may keep the others from being
written: the batch is halved until the round in question stands alone. That round is settled without the function, or
waits. A lock that is held for long parks the batch, so that other batches are written meanwhile.
"""

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
"""Tries of a busy batch as a whole, before its halves are tried on their own."""

BUSY_PAUSE_S = 0.5
"""Seconds between two tries of a busy batch."""


class NextWrite(enum.Enum):
    """The next step of a batch that failed."""

    WAIT = "wait"
    """Try the same batch again, after a pause."""
    HALVE = "halve"
    """Try each half on its own: one round of it may be the reason."""
    WITHOUT_CLOSING = "without_closing"
    """Settle in the ledger alone, with the database's message: the operator's function does not close this round."""
    GIVE_UP = "give_up"
    """Stop trying: the ledger itself refuses this row."""


@dataclass(frozen=True, slots=True)
class SettleBatch:
    """Settlements that are written together, no two for the same cancellation.

    `close_error`: the operator's function is not called, and this message is recorded. `again`: an earlier try may have
    been committed, and its answer lost; halves inherit it, or their rounds would count as late replies. `busy_since`
    and `due`, in seconds on the monotonic clock: when the batch was first held up, and when the next try is.
    `busy_with`: the database's last message about that.
    """

    items: Sequence[Settlement]
    close_error: str | None = None
    again: bool = False
    tries: int = 0
    busy_since: float | None = None
    busy_with: str | None = None
    due: float = 0.0

    def halves(self) -> tuple[SettleBatch, SettleBatch]:
        """Both halves; each starts counting its tries anew."""
        half = len(self.items) // 2
        return (replace(self, items=self.items[:half], tries=0), replace(self, items=self.items[half:], tries=0))

    def failed(self) -> SettleBatch:
        """The same batch after a failed try, which may have been committed all the same."""
        return replace(self, again=True)

    def waits(self, now: float, message: str) -> SettleBatch:
        """The same batch, to be tried again after a pause."""
        since = now if self.busy_since is None else self.busy_since
        return replace(self, tries=self.tries + 1, busy_since=since, busy_with=message, due=now + BUSY_PAUSE_S)

    def has_waited(self, now: float, patience_s: float) -> bool:
        """Whether foreign locks have held it up for so long that its rounds are settled without being closed."""
        return self.busy_since is not None and self.close_error is None and now - self.busy_since >= patience_s

    def without_closing(self, message: str) -> SettleBatch:
        """The same batch for the ledger alone, with the database's message."""
        return replace(self, close_error=str(ClosingRefusal(message)))


def after_failure(batch: SettleBatch, trouble: ErrorClass, *, now: float, patience_s: float) -> NextWrite:
    """Decide the next step of a failed batch. `patience_s`: seconds for which foreign locks may hold a round up."""
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


def one_per_round(items: Sequence[Settlement]) -> list[list[Settlement]]:
    """Split settlements where a cancellation comes twice (a late reply beside its successor's).

    One statement changes a row once.
    """
    parts: list[dict[int, Settlement]] = [{}]
    for item in items:
        key = item.claim.cancellation_id
        if key in parts[-1]:
            parts.append({})
        parts[-1][key] = item
    return [list(part.values()) for part in parts if part]
