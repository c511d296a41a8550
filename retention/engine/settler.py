"""Settles replies: collects them, has them written in batches, and reports each one once it is written.

A reply that the ledger does not have yet may be lost, so no log line, counter or permission to cancel comes before its
commit. A process keeps the newest replies: a server that takes over may lack those of the half minute before this
process last saw the earlier server, and they are then written again.

While the database is away, replies wait in memory, their number is bounded, and nothing more is sent.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import TYPE_CHECKING

from retention.core.model import LIVE_STATES, Outcome
from retention.core.planning.rails import check_conflicts, check_failure_ratio
from retention.core.sending.partner_state import CALLABLE_STATES, PartnerHalt
from retention.core.sending.settle_batch import BUSY_PAUSE_S, SettleBatch, one_per_round
from retention.engine.batch_writer import BUSY_OVERDUE_S, BUSY_STOPPED_S, BatchWriter
from retention.engine.claims_in_hand import RECENT, ClaimsInHand
from retention.engine.events import attempt_event, is_open_doubt
from retention.engine.halts import Halts
from retention.engine.inbox import BATCH_MAX, Inbox
from retention.engine.lifecycle import Phase
from retention.engine.retry import retry_until
from retention.ledger.database_errors import ReplyTimeoutError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from structlog.typing import FilteringBoundLogger

    from retention.core.model import Claim, Settlement
    from retention.engine.counters import RunCounters
    from retention.engine.lifecycle import Lifecycle
    from retention.engine.run_partner import RunPartner
    from retention.ledger.engine_ledger import EngineLedger
    from retention.ledger.results import ClosedGroup, SettledBatch, SettledRow, SkippedRound

TimedReply = tuple["RunPartner", "Settlement", float, float]
"""A partner, its reply, the seconds that it took, and when on the monotonic clock its request left."""

REPORT_CHUNK = 50
"""Replies reported before the event loop runs other tasks, which have slots to keep."""


class Settler:
    """The replies of one process, from their arrival until they are written. `in_hand` are its claims.

    `skip_tried_reason`: why this run leaves the rounds that an earlier run has tried to a later one; None if it does
    not. `now` is the monotonic clock, in seconds.
    """

    def __init__(
        self,
        ledger: EngineLedger,
        counters: RunCounters,
        log: FilteringBoundLogger,
        lifecycle: Lifecycle,
        *,
        max_failure_ratio: float,
        max_conflicts: int,
        overrides: Sequence[str],
        log_user_ids: bool,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.log = log
        self.in_hand = ClaimsInHand()
        self.halts = Halts(ledger.control, lifecycle, log)
        self.skip_tried_reason: str | None = None
        self._control = ledger.control
        self._lifecycle = lifecycle
        self._writer = BatchWriter(ledger.settlements, ledger.claims, self.in_hand, log, lifecycle.aborted, now)
        self._counters = counters
        self._max_failure_ratio = max_failure_ratio
        self._max_conflicts = max_conflicts
        self._overrides = overrides
        self._log_user_ids = log_user_ids
        self._now = now
        self._inbox: Inbox[TimedReply] = Inbox()
        self._arrived = asyncio.Event()
        self._unwritten: dict[str, TimedReply] = {}
        self._recent: deque[tuple[float, Settlement]] = deque(maxlen=RECENT)
        self._again: list[Settlement] = []

    @property
    def blocked(self) -> bool:
        """Whether nothing may be sent, because its reply could not be written now."""
        return self._writer.blocked

    @property
    def empty(self) -> bool:
        """Whether every reply that arrived is written."""
        return not self._unwritten

    @property
    def unwritten(self) -> list[Claim]:
        """The claims whose replies arrived and are not written."""
        return [item.claim for _, item, _, _ in self._unwritten.values()]

    @property
    def writes_again(self) -> bool:
        """Whether replies wait to be written again."""
        return bool(self._again)

    def offer(self, reply: TimedReply) -> bool:
        """Take a reply; False where too many are unwritten, and the caller has to `put` it."""
        self._unwritten[reply[1].claim.uuid] = reply
        if not self._inbox.offer(reply):
            return False
        self._arrived.set()
        return True

    async def put(self, reply: TimedReply) -> None:
        """Hand a reply over; waits while too many are unwritten."""
        while not self.offer(reply):
            await self._inbox.room()

    def rewrite_recent(self, since: float) -> None:
        """Write the replies written since a moment (monotonic, in seconds) again: another server may lack them."""
        self._again += [item for written_at, item in self._recent if written_at > since]
        self._recent.clear()
        self._arrived.set()

    def finish_input(self) -> None:
        """No more replies come; `run` ends once the last one is written."""
        self._lifecycle.advance(Phase.FINISHING)
        self._wake()

    def shorten_waits(self, *, stopped: bool) -> None:
        """Wait less long for foreign locks: this process is `stopped`, or its run's deadline has come."""
        self._writer.patience_s = min(self._writer.patience_s, BUSY_STOPPED_S if stopped else BUSY_OVERDUE_S)

    def abort(self) -> None:
        """Stop writing. Unwritten replies stay claims, and become doubts when their leases end."""
        self._lifecycle.abort()
        self._wake()

    def _wake(self) -> None:
        self._inbox.hurry()
        self._arrived.set()

    async def run(self) -> None:
        """Write replies until the input is finished and everything is written."""
        while not self._lifecycle.aborted.is_set():
            if self._lifecycle.phase < Phase.FINISHING:
                await self._inbox.gather()
            if await self.write_once():
                continue
            if self._lifecycle.phase >= Phase.FINISHING and not self._writer.parked:
                return
            await self._wait()

    async def write_once(self) -> bool:
        """Write one batch of new replies, and the older batches that are due; False where there were none."""
        due = self._writer.due_batches()
        while self._again:
            again, self._again = self._again[:BATCH_MAX], self._again[BATCH_MAX:]
            due += [SettleBatch(part, again=True) for part in one_per_round(again)]
        if not self._inbox and not due:
            return False
        for part in one_per_round([item for _, item, _, _ in self._inbox.take()]):
            await self._write(SettleBatch(part))
        for parked in due:
            await self._write(parked)
        return True

    async def _wait(self) -> None:
        self._arrived.clear()
        try:
            async with asyncio.timeout(BUSY_PAUSE_S if self._writer.parked else None):
                await self._arrived.wait()
        except TimeoutError:
            pass

    async def _write(self, batch: SettleBatch) -> None:
        async for items, settled in self._writer.write(batch):
            for nth, item in enumerate(items):
                if nth % REPORT_CHUNK == REPORT_CHUNK - 1:
                    await asyncio.sleep(0)
                await self._finish(item, settled)
            if settled is not None:
                await self._check_rails(settled)

    async def _finish(self, item: Settlement, settled: SettledBatch | None) -> None:
        """Report a reply that is written, and act on it; one that cannot be written (None) is only dropped."""
        reply = self._unwritten.pop(item.claim.uuid, None)
        self.in_hand.drop(item.claim)
        if settled is not None:
            self._recent.append((self._now(), item))
        if settled is None or reply is None:  # None: written again, and reported the first time
            return
        partner, _, latency, sent_at = reply
        row = settled.written.get(item.claim.uuid)
        self._report(item, latency, row)
        if (
            row is not None
            and item.outcome is Outcome.IN_PROGRESS
            and item.state in CALLABLE_STATES
            and partner.terms.ask_first
        ):
            partner.asked.add(item.claim.cancellation_id, sent_at)
        if item.outcome is Outcome.UNAUTHORIZED and partner.state.halted:
            await self.halts.halt_partner(partner)

    async def _check_rails(self, settled: SettledBatch) -> None:
        tripped = None
        if settled.recent_tried_before is not None and self.skip_tried_reason is None:
            skipping = check_failure_ratio(settled.recent_tried_before, self._max_failure_ratio, self._overrides)
            if skipping is not None:
                self.skip_tried_reason = f"tried before, and left to a later run: {skipping.detail}"
                self.log.warning("run.tried_rounds_left", detail=skipping.detail)
        if settled.recent is not None:
            tripped = check_failure_ratio(settled.recent, self._max_failure_ratio, self._overrides)
        if settled.refused_closings is not None:
            tripped = check_conflicts(settled.refused_closings, self._max_conflicts, self._overrides) or tripped
        if tripped is not None:
            await self.halts.halt_run(str(tripped))

    async def halt_for_status_address(self, partner: RunPartner, sign: str) -> None:
        """Halt the run before its first cancel: status probes do not reach the vendor. `sign` shows that."""
        partner.state.halt(PartnerHalt.STATUS_ADDRESS)
        reason = (
            f"status_url: the status address of partner {partner.name} does not answer questions ({sign}), and with"
            " ask_first nothing is cancelled without asking; mend status_url, or set ask_first = false"
        )
        await self.halts.halt_run(reason)

    async def record_throttle(self, partner: RunPartner, pause: float) -> None:
        """Record in the ledger that the vendor asked for a pause of so many seconds: every process obeys it."""
        self.log.warning("partner.throttled", partner=partner.name, pause_s=round(pause, 3))
        group_rate = await retry_until(
            lambda: self._control.throttle_partner(partner.terms, pause), until=self._lifecycle.aborted
        )
        if group_rate is not None and partner.terms.group is not None:
            self.log.warning("rate_group.throttled", rate_group=partner.terms.group.name, rate=round(group_rate, 3))

    # Reports and counts for the other parts.

    def report_database_silence(self, error: Exception) -> None:
        """Report that the database has not answered a claim, which nothing else would show."""
        self.in_hand.doubted = True
        if isinstance(error, ReplyTimeoutError):
            self.log.warning("database.away", problem=str(error))

    def count_wait(self, partner: RunPartner, seconds: float) -> None:
        """Count the time that a request waited for its slot."""
        self._counters.tally.waited[partner.name] += round(seconds * 1000)

    def count_closed(self, closed: Sequence[ClosedGroup]) -> None:
        """Count rounds that the run closed without a request."""
        for group in closed:
            self._counters.ended(group.partner, group.market, group.state, group.rounds)

    def report_skipped(self, skipped: SkippedRound) -> None:
        """Report a round that a claim found not to be called any more."""
        if skipped.state not in LIVE_STATES:
            self._counters.ended(skipped.partner, skipped.market, skipped.state)
        self.log.info(
            "round.settled" if skipped.state not in LIVE_STATES else "round.in_doubt",
            run_id=skipped.run_id,
            partner=skipped.partner,
            market=skipped.market,
            round_id=skipped.round_id,
            outcome=skipped.state.value,
            detail=skipped.detail,
        )

    def _report(self, item: Settlement, latency: float, row: SettledRow | None) -> None:
        claim = item.claim
        self._counters.tally.requests[claim.partner].note(latency)
        if row is not None and (item.state not in LIVE_STATES or is_open_doubt(item)):
            self._counters.ended(claim.partner, claim.market, item.state)
            self._counters.refund(claim.partner, item.currency, item.amount)
        event, level, values = attempt_event(item, latency, row, with_user=self._log_user_ids)
        getattr(self.log, level)(event, **values)
