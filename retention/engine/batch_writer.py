"""Writes batches of settlements through faults of the database and of the operator's function.

The next step after a failure is data (`settle_batch.after_failure`). A batch whose answer is lost may have been
committed: it is tried again as such (`again`), so that its rounds count as written, and not as late replies.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING

import psycopg

from retention.core.sending.database_errors import ErrorClass
from retention.core.sending.settle_batch import BUSY_PAUSE_S, NextWrite, after_failure
from retention.engine.retry import retry_until
from retention.ledger.database_errors import (
    UNAVAILABLE,
    BusyError,
    ReplyTimeoutError,
    SessionEndedError,
    describe_busy,
    short_message,
)

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterator, Callable, Sequence

    from structlog.typing import FilteringBoundLogger

    from retention.core.model import Settlement
    from retention.core.sending.settle_batch import SettleBatch
    from retention.engine.claims_in_hand import ClaimsInHand
    from retention.ledger.claims import Claims
    from retention.ledger.results import SettledBatch
    from retention.ledger.settlements import Settlements

BUSY_LIMIT_S = 600.0
"""Seconds for which foreign locks may hold up a round's closing, before it is settled without being closed."""

BUSY_OVERDUE_S = 60.0
"""The same limit after the run's deadline."""

BUSY_STOPPED_S = 10.0
"""The same limit once this process is to stop."""

PARKED_ROUNDS_MAX = 10
"""Parked rounds allowed before nothing more is sent."""

ENDED_SESSIONS_MAX = 3
"""Sessions that may end under one batch while the server answers others; then the batch itself ends them."""


class SessionEnderError(psycopg.OperationalError):
    """The batch ends each session that tries it, while the server answers others."""


class BatchWriter:
    """Settles batches, and halves a refused one until the refused round stands alone.

    `parked` batches wait for foreign locks, for `patience_s` seconds at the most. `aborted` is set when the process
    must not wait any more; unwritten replies then stay claims. `now` is the monotonic clock, in seconds.
    """

    def __init__(
        self,
        settlements: Settlements,
        claims: Claims,
        in_hand: ClaimsInHand,
        log: FilteringBoundLogger,
        aborted: asyncio.Event,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.patience_s = BUSY_LIMIT_S
        self.parked: list[SettleBatch] = []
        self._settlements = settlements
        self._claims = claims
        self._in_hand = in_hand
        self._log = log
        self._away = False
        self._asking = False
        self._isolating = False
        self._busy = False
        self._aborted = aborted
        self._now = now

    @property
    def blocked(self) -> bool:
        """Whether nothing may be sent: the database is away, refuses something, or too many rounds are parked."""
        if self._away or self._asking or self._isolating:
            return True
        return bool(self.parked) and sum(len(batch.items) for batch in self.parked) > PARKED_ROUNDS_MAX

    def due_batches(self) -> list[SettleBatch]:
        """Take the parked batches whose next try is due; after too long a wait, without closing."""
        now = self._now()
        due = [batch for batch in self.parked if batch.due <= now]
        self.parked = [batch for batch in self.parked if batch.due > now]
        return [
            batch.without_closing(batch.busy_with or "busy") if batch.has_waited(now, self.patience_s) else batch
            for batch in due
        ]

    async def write(self, first: SettleBatch) -> AsyncIterator[tuple[Sequence[Settlement], SettledBatch | None]]:
        """Write a batch; yields its parts with their results, None for rows that cannot be written.

        A part that foreign locks hold up is parked, and a later call yields it.
        """
        work = deque([first])
        while work and not self._aborted.is_set():
            batch = self._as_recorded(work.popleft())
            try:
                settled = await self._settle(batch)
            except psycopg.Error as error:
                self._isolating = True
                if (failed := self._after(batch.failed(), error, work)) is not None:
                    yield failed.items, None
                continue
            if settled is None:
                break
            if settled.missing:
                restored, lost = await self._restore(batch, settled.missing)
                if restored:
                    work.appendleft(replace(batch, items=restored))
                if lost:
                    yield lost, None
            yield [item for item in batch.items if item.claim.uuid not in settled.missing], settled
        self._isolating = False
        if self._busy and not self.parked:
            self._busy = False
            self._log.info("database.free")

    def _as_recorded(self, batch: SettleBatch) -> SettleBatch:
        """The batch with each claim as it is on record: the lease keeper may have moved some."""
        if not self._in_hand.moved:
            return batch
        latest = self._in_hand.latest
        return replace(batch, items=[item._replace(claim=latest(item.claim)) for item in batch.items])

    async def _settle(self, batch: SettleBatch) -> SettledBatch | None:
        tried = batch.again
        endings = 0

        async def once() -> SettledBatch:
            nonlocal tried, endings
            again, tried = tried, True
            try:
                return await self._settlements.settle_replies(batch.items, batch.close_error, again=again)
            except (SessionEndedError, ReplyTimeoutError) as error:
                if not await self._answers():
                    endings = 0
                    raise
                if isinstance(error, ReplyTimeoutError):  # a slow function, or a lock without lock_timeout
                    raise BusyError(str(error)) from error
                endings += 1
                if endings < ENDED_SESSIONS_MAX:
                    raise
                raise SessionEnderError(str(error)) from error

        settled = await retry_until(once, until=self._aborted, on_away=self._note_away, busy_tries=1)
        if settled is not None:
            self._note_back()
        return settled

    async def _answers(self) -> bool:
        """Whether the server answers another session. Nothing is sent until that is known."""
        self._in_hand.doubted = True
        self._asking = True
        try:
            return await self._settlements.writable()
        except UNAVAILABLE:
            return False
        finally:
            self._asking = False

    def _after(self, batch: SettleBatch, error: psycopg.Error, work: deque[SettleBatch]) -> SettleBatch | None:
        """Arrange the batch's next step; returns the batch where no step is left."""
        self._note_back()
        now = self._now()
        trouble = ErrorClass.BUSY if isinstance(error, BusyError) else ErrorClass.REFUSED
        message = short_message(error)
        then = after_failure(batch, trouble, now=now, patience_s=self.patience_s)
        if trouble is ErrorClass.BUSY:
            self._note_busy(batch, error)
            batch = batch.waits(now, message)
        match then:
            case NextWrite.WAIT:
                self.parked.append(batch)
            case NextWrite.HALVE:
                work.extendleft(reversed(batch.halves()))
            case NextWrite.WITHOUT_CLOSING:
                work.appendleft(batch.without_closing(message))
            case NextWrite.GIVE_UP:
                claim = batch.items[0].claim
                self._log.error(
                    "round.unwritable",
                    partner=claim.partner,
                    round_id=claim.round_id,
                    uuid=claim.uuid,
                    outcome=batch.items[0].state.value,
                    problem=message,
                )
                return batch
        return None

    async def _restore(self, batch: SettleBatch, missing: Sequence[str]) -> tuple[list[Settlement], list[Settlement]]:
        """Record lost attempts again; returns the writable settlements and the lost ones."""
        items = [item for item in batch.items if item.claim.uuid in missing]
        found = await retry_until(
            lambda: self._claims.restore_attempts([item.claim for item in items]),
            until=self._aborted,
            on_away=self._note_away,
        )
        if found is None:
            return [], []
        self._note_back()
        self._in_hand.doubted = True
        self._in_hand.move(found)
        restored, lost = [], []
        for item in items:
            # Not missing any more: the lease keeper has restored it meanwhile, under the id that the claim has.
            cancellation_id = found.get(item.claim.uuid, item.claim.cancellation_id)
            if cancellation_id is not None:
                restored.append(item._replace(claim=item.claim._replace(cancellation_id=cancellation_id)))
                continue
            lost.append(item)
            self._log.error(
                "round.unrecorded",
                partner=item.claim.partner,
                market=item.claim.market,
                round_id=item.claim.round_id,
                uuid=item.claim.uuid,
                outcome=item.state.value,
                amount=None if item.amount is None else f"{item.amount:f}",
                currency=item.currency,
                transaction_id=item.transaction_id,
                problem="the ledger has lost this round; its reply is in this line alone",
            )
        self._log.warning("attempts.restored", rounds=len(restored), lost=len(lost))
        return restored, lost

    def _note_away(self, error: Exception) -> None:
        self._in_hand.doubted = True
        if not self._away:
            self._away = True
            self._log.warning("database.away", problem=_named(error))

    def _note_back(self) -> None:
        if self._away:
            self._away = False
            self._log.info("database.back")

    def _note_busy(self, batch: SettleBatch, error: psycopg.Error) -> None:
        if not self._busy:
            self._busy = True
            problem = describe_busy(error, closing=batch.close_error is None)
            self._log.warning("database.busy", rounds=len(batch.items), problem=problem, again_s=BUSY_PAUSE_S)


def _named(error: Exception) -> str:
    return str(error) if isinstance(error, ReplyTimeoutError) else f"{type(error).__name__}: {short_message(error)}"
