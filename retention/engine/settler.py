"""Settle: replies are collected, written in batches, and only then told to anybody."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import TYPE_CHECKING

from retention.core.model import LIVE_STATES, Outcome
from retention.core.planning.rails import check_closings, check_replies
from retention.core.sending.settle_batch import BUSY_PAUSE_S, SettleBatch
from retention.engine.batch_writer import BUSY_OVERDUE_S, BUSY_STOPPED_S, BatchWriter
from retention.engine.claims_in_hand import RECENT, RECENT_S, ClaimsInHand
from retention.engine.events import attempt_event, is_open_doubt
from retention.engine.retry import retry_until
from retention.ledger.database_errors import ReplyTimeoutError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from structlog.typing import FilteringBoundLogger

    from retention.core.model import Settlement
    from retention.engine.counters import RunCounters
    from retention.engine.partner import Partner
    from retention.ledger.engine_ledger import EngineLedger
    from retention.ledger.results import ClosedGroup, SettledBatch, SettledRow, SkippedRound

TimedReply = tuple["Partner", "Settlement", float, float]
"""A reply, from whom, how many seconds it took, and when on the monotonic clock its request left."""

UNWRITTEN_MAX = 450
"""Replies that may wait; beyond it the senders wait with theirs."""

BATCH = 500
"""Replies written at once, at the most."""

REPORT_CHUNK = 50
"""Replies told of in one go."""

BATCH_MIN = 200
"""Replies that are written without waiting for more."""

BATCH_LINGER_S = 0.03
"""Seconds for which fewer may gather."""


class Settler:
    """Where replies come in, and wait until they are written. `in_hand` are the claims of this process."""

    def __init__(
        self,
        ledger: EngineLedger,
        stats: RunCounters,
        log: FilteringBoundLogger,
        *,
        max_failure_ratio: float,
        max_conflicts: int,
        passed: Sequence[str],
        log_user_ids: bool,
    ) -> None:
        self.log = log
        self.in_hand = ClaimsInHand()
        self._control = ledger.control
        self._writer = BatchWriter(ledger.settlements, ledger.claims, self.in_hand, log)
        self._stats = stats
        self._max_failure_ratio = max_failure_ratio
        self._max_conflicts = max_conflicts
        self._passed = passed
        self._log_user_ids = log_user_ids
        self._inbox: list[TimedReply] = []
        self._came = asyncio.Event()
        self._room = asyncio.Event()
        self._last = False
        self._unwritten: dict[str, TimedReply] = {}
        self._recent: deque[tuple[float, Settlement]] = deque(maxlen=RECENT)
        self._again: list[Settlement] = []
        self._halted = False
        self.leaves_tried: str | None = None
        """Why this run leaves the rounds that an earlier run has tried, where it does."""

    @property
    def blocked(self) -> bool:
        """Whether nothing may be sent: its reply could not be written just now."""
        return self._writer.blocked

    @property
    def empty(self) -> bool:
        """Whether every reply that came in is written."""
        return not self._unwritten

    def take(self, reply: TimedReply) -> bool:
        """Take a reply in, unless too many are unwritten."""
        self._unwritten[reply[1].claim.uuid] = reply
        if len(self._inbox) >= UNWRITTEN_MAX:
            return False
        self._inbox.append(reply)
        self._came.set()
        return True

    async def put(self, reply: TimedReply) -> None:
        """Hand a reply over; waits while too many are unwritten."""
        while not self.take(reply):
            self._room.clear()
            await self._room.wait()

    def write_again(self) -> None:
        """Another server has taken over: what was written just before it may be lost, and is written once more."""
        since = time.monotonic() - RECENT_S
        self._again += [item for written_at, item in self._recent if written_at > since]
        self._recent.clear()
        self._came.set()

    def close(self) -> None:
        """No more replies come; `run` ends when the last one is written."""
        self._last = True
        self._came.set()

    def hurry(self, *, stopped: bool) -> None:
        """Wait less long for others: this process is `stopped`, or its run's deadline has come."""
        self._writer.patience_s = min(self._writer.patience_s, BUSY_STOPPED_S if stopped else BUSY_OVERDUE_S)

    def abort(self) -> None:
        """Give up writing; what is unwritten stays claimed, and becomes a doubt."""
        self._writer.abort()
        self._came.set()

    async def run(self) -> None:
        """Write replies until closed."""
        while (
            self._inbox or self._again or self._writer.parked or not self._last
        ) and not self._writer.aborted.is_set():
            due = self._writer.take_due()
            while self._again:
                again, self._again = self._again[:BATCH], self._again[BATCH:]
                due += [SettleBatch(part, again=True) for part in _one_per_round(again)]
            if not self._inbox and not due:
                await self._wait()
                continue
            if len(self._inbox) < BATCH_MIN and not self._last:
                await asyncio.sleep(BATCH_LINGER_S)
            batch, self._inbox = self._inbox[:BATCH], self._inbox[BATCH:]
            self._room.set()
            for part in _one_per_round([item for _, item, _, _ in batch]):
                await self._write(SettleBatch(part))
            for parked in due:
                await self._write(parked)

    async def _wait(self) -> None:
        self._came.clear()
        try:
            async with asyncio.timeout(BUSY_PAUSE_S if self._writer.parked else None):
                await self._came.wait()
        except TimeoutError:
            pass

    async def _write(self, batch: SettleBatch) -> None:
        async for items, settled in self._writer.write(batch):
            for nth, item in enumerate(items):
                if nth % REPORT_CHUNK == REPORT_CHUNK - 1:
                    await asyncio.sleep(0)  # others have slots to keep
                await self._written(item, settled)
            if settled is not None:
                await self._check(settled)

    async def _written(self, item: Settlement, settled: SettledBatch | None) -> None:
        """What follows once a reply is written; nothing does from one that cannot be."""
        answered = self._unwritten.pop(item.claim.uuid, None)
        self.in_hand.drop(item.claim)
        if settled is not None:
            self._recent.append((time.monotonic(), item))
        if settled is None or answered is None:  # None: it is written once more, and was told the first time
            return
        partner, _, latency, sent_at = answered
        done = settled.written.get(item.claim.uuid)
        self._tell(item, latency, done)
        if done is not None and item.outcome is Outcome.IN_PROGRESS and item.state in partner.callable_states:
            partner.told.add(item.claim.cancellation_id, sent_at)
        if item.outcome is Outcome.UNAUTHORIZED and partner.halted:
            await self._halt_partner(partner)

    def note_silence(self, error: Exception) -> None:
        """Say that the database has not answered, where nothing else would show it."""
        self.in_hand.doubted = True
        if isinstance(error, ReplyTimeoutError):
            self.log.warning("database.away", problem=str(error))

    async def _check(self, settled: SettledBatch) -> None:
        tripped = None
        if settled.recent_again is not None and self.leaves_tried is None:
            again = check_replies(settled.recent_again, self._max_failure_ratio, self._passed)
            if again is not None:
                self.leaves_tried = f"tried before, and left to a later run: {again.words}"
                self.log.warning("run.tried_rounds_left", detail=again.words)
        if settled.recent is not None:
            tripped = check_replies(settled.recent, self._max_failure_ratio, self._passed)
        if settled.refused_closings is not None:
            tripped = check_closings(settled.refused_closings, self._max_conflicts, self._passed) or tripped
        if tripped is not None and not self._halted:
            halted = await retry_until(lambda: self._control.halt_run(str(tripped)), until=self._writer.aborted)
            self._halted = halted is not None

    async def _halt_partner(self, partner: Partner) -> None:
        if await retry_until(lambda: self._control.halt_partner(partner.name), until=self._writer.aborted):
            self.log.error("partner.unauthorized", partner=partner.name)

    async def halt_wrong_status_address(self, partner: Partner, sign: str) -> None:
        """Halt the run before its first cancel: questions do not get to the vendor."""
        partner.halted = True
        reason = (
            f"status_url: the status address of partner {partner.name} does not answer questions ({sign}), and with"
            " ask_first nothing is cancelled without asking; mend status_url, or set ask_first = false"
        )
        await retry_until(lambda: self._control.halt_run(reason), until=self._writer.aborted)

    async def note_throttled(self, partner: Partner, pause: float) -> None:
        """Let every replica know that the partner wants to be left alone for so many seconds."""
        self.log.warning("partner.throttled", partner=partner.name, pause_s=round(pause, 3))
        await retry_until(lambda: self._control.throttle_partner(partner.terms, pause), until=self._writer.aborted)

    def note_wait(self, partner: Partner, seconds: float) -> None:
        """Count what a request waited for its slot."""
        self._stats.tally.waited[partner.name] += round(seconds * 1000)

    def note_given_up(self, given_up: Sequence[ClosedGroup]) -> None:
        """Count rounds that nothing more is sent for."""
        for group in given_up:
            self._stats.ended(group.partner, group.market, group.state, group.rounds)

    def note_dropped(self, dropped: SkippedRound) -> None:
        """Tell of a round that was not to be called any more."""
        if dropped.state not in LIVE_STATES:
            self._stats.ended(dropped.partner, dropped.market, dropped.state)
        self.log.info(
            "round.settled" if dropped.state not in LIVE_STATES else "round.in_doubt",
            run_id=dropped.run_id,
            partner=dropped.partner,
            market=dropped.market,
            round_id=dropped.round_id,
            outcome=dropped.state.value,
            detail=dropped.detail,
        )

    def _tell(self, item: Settlement, latency: float, written: SettledRow | None) -> None:
        claim = item.claim
        self._stats.tally.requests[claim.partner].note(latency)
        if written is not None and (item.state not in LIVE_STATES or is_open_doubt(item)):
            self._stats.ended(claim.partner, claim.market, item.state)
            self._stats.refund(claim.partner, item.currency, item.amount)
        event, level, values = attempt_event(item, latency, written, with_user=self._log_user_ids)
        getattr(self.log, level)(event, **values)


def _one_per_round(batch: Sequence[Settlement]) -> list[list[Settlement]]:
    """Split where a round comes twice (a late reply beside its successor's): one statement changes a row once."""
    parts: list[dict[int, Settlement]] = [{}]
    for item in batch:
        key = item.claim.cancellation_id
        if key in parts[-1]:
            parts.append({})
        parts[-1][key] = item
    return [list(part.values()) for part in parts if part]
