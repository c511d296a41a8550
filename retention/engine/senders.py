"""Send: the requests of one partner, each in its slot, over a connection that is already there."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from retention.core.model import Kind
from retention.core.sending.in_flight import InFlightLimit
from retention.core.sending.pacing import LOOK_GOOD_S, LateBudget
from retention.core.sending.send_check import SendCheck, check_send
from retention.core.sending.transitions import pause_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from retention.core.model import Claim, Settlement
    from retention.engine.partner import Partner
    from retention.engine.settler import Settler
    from retention.vendor_api.client import Exchange
    from retention.vendor_api.connection import Connection

TICK_S = 0.0005
"""Seconds by which a slot may be used early: the loop's timers are coarse."""

CONNECTION_POLL_S = 0.01
"""Seconds between looks for a connection, where a claim's turn came and none is in hand."""


class Senders:
    """As many senders as requests may be in flight, shared by cancel requests and questions.

    A sender takes a claim when its slot comes, takes a connection, looks once more whether the request may leave, and
    writes it: nothing is waited for between that look and the write. Claims that may not leave wait in `unsent` and
    `late` for the dispatcher of their kind.
    """

    def __init__(self, partner: Partner, settler: Settler) -> None:
        self.partner = partner
        self.places = InFlightLimit(partner.concurrency)
        self.waiting: Counter[Kind] = Counter()
        self.unsent: dict[Kind, list[Claim]] = {kind: [] for kind in Kind}
        self.late: dict[Kind, list[Claim]] = {kind: [] for kind in Kind}
        self.holding: Counter[Kind] = Counter()  # claims in this process's hands, until their replies are taken in
        self.clock_offset_s = 0.0  # the database's time minus this process's monotonic time
        self._settler = settler
        self._queues: dict[Kind, deque[Claim]] = {kind: deque() for kind in Kind}
        self._unconnected: Counter[Kind] = Counter()  # claims whose turn came, and that wait for a connection
        self._idle: deque[asyncio.Future[None]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._stopped = False
        self._budgets = {kind: LateBudget(partner.terms.rate_of(kind)) for kind in Kind}
        self._now: Callable[[], float] = time.monotonic  # the loop's own clock may be as coarse as a millisecond

    def stop(self) -> None:
        """No request leaves after this; what is in flight is waited for."""
        self._stopped = True
        self._wake(len(self._idle))

    async def run(self) -> None:
        """Send until stopped and drained."""
        senders = [asyncio.create_task(self._send_all()) for _ in range(self.partner.concurrency)]
        try:
            await asyncio.gather(*senders)
        finally:
            # Also where a sender failed: what is in flight is money, and is waited for.
            self.stop()
            await asyncio.gather(*senders, return_exceptions=True)
            if self._timer is not None:
                self._timer.cancel()

    def give(self, claims: Iterable[Claim]) -> None:
        """Take claims in, each to be sent in its slot."""
        for claim in claims:
            self._queues[claim.kind].append(claim)
            self.waiting[claim.kind] += 1
        self._arm()

    def withdraw(self, kind: Kind, *, expired_only: bool) -> None:
        """Hand back claims that wait for their slots: all of them, or those whose look is not young any more."""
        now, queue = self._now(), self._queues[kind]
        kept = [claim for claim in queue if expired_only and now < claim.leave_by]
        if len(kept) < len(queue):
            if expired_only:
                self.places.waited_too_long()
            self.unsent[kind] += [claim for claim in queue if not expired_only or now >= claim.leave_by]
            self._queues[kind] = deque(kept)
            self.waiting[kind] -= len(queue) - len(kept)
        if not expired_only:
            self.unsent[kind] += self.late[kind]
            self.late[kind] = []

    async def _send_all(self) -> None:
        while True:
            claim = self._next_due()
            if claim is not None:
                await self._try(claim)
            elif self._stopped:
                return
            else:
                idler = asyncio.get_running_loop().create_future()
                self._idle.append(idler)
                self._arm()
                await idler

    def _next_due(self) -> Claim | None:
        queue = self._first_queue()
        if queue is None or (queue[0].slot > self._now() + TICK_S and not self._stopped):
            return None
        claim = queue.popleft()
        self.waiting[claim.kind] -= 1
        return claim

    def _first_queue(self) -> deque[Claim] | None:
        """The queue whose first claim's slot comes first."""
        return min((queue for queue in self._queues.values() if queue), key=lambda queue: queue[0].slot, default=None)

    def _arm(self) -> None:
        """Have a sender woken when the next slot comes."""
        queue = self._first_queue()
        if queue is None or not self._idle:
            return
        at = queue[0].slot
        if self._timer is not None:
            if self._timer_at <= at:
                return
            self._timer.cancel()
        self._timer_at = at
        self._timer = asyncio.get_running_loop().call_later(max(0.0, at - self._now()), self._slot_came)

    def _slot_came(self) -> None:
        self._timer = None
        now = self._now() + TICK_S
        self._wake(sum(claim.slot <= now for queue in self._queues.values() for claim in _head(queue, now)))
        self._arm()

    def _wake(self, senders: int) -> None:
        for _ in range(min(senders, len(self._idle))):
            idler = self._idle.popleft()
            if not idler.done():  # cancelled, as all is when the loop is torn down
                idler.set_result(None)

    async def _try(self, claim: Claim) -> None:
        """Send a claim whose slot has come, or say what else becomes of it."""
        kind, partner = claim.kind, self.partner
        self.places.began(kind)
        connection = None
        try:
            connection = partner.connection(kind) or await self._wait_for_connection(claim)
            now = self._now()
            check = check_send(
                claim,
                now,
                allowed=self._may_send(kind, now),
                connected=connection is not None,
                budget=self._budgets[kind],
            )
            if check is SendCheck.SEND and connection is not None:
                await self._send(claim, connection)
                return
            if connection is not None:
                partner.keep(kind, connection)
            (self.late if check is SendCheck.NEW_SLOT else self.unsent)[kind].append(claim)
        except BaseException:
            if connection is not None:
                connection.close()
            raise
        finally:
            self.places.ended(kind)
            if not self._stopped and partner.uses_connections_once(kind):
                self._replace_connections(kind)

    def _replace_connections(self, kind: Kind) -> None:
        """See to connections for the claims that wait: none comes back from a request."""
        unconnected = self._unconnected
        wanted = self.waiting[kind] + unconnected[kind]
        if wanted and not self.partner.blocked(kind, self._now()):
            self.partner.open_connections(kind, wanted, self.places, unconnected=unconnected.total())

    def _may_send(self, kind: Kind, now: float) -> bool:
        return not (self._stopped or self._settler.blocked or self.partner.blocked(kind, now))

    async def _wait_for_connection(self, claim: Claim) -> Connection | None:
        """Wait for a new connection, or one that another request gives back; without one the claim is handed back."""
        kind = claim.kind
        self._unconnected[kind] += 1
        try:
            while self._may_send(kind, now := self._now()) and now < claim.leave_by:
                self._replace_connections(kind)
                await asyncio.sleep(CONNECTION_POLL_S)
                if (connection := self.partner.connection(kind)) is not None:
                    return connection
        finally:
            self._unconnected[kind] -= 1
        return None

    async def _send(self, claim: Claim, connection: Connection) -> None:
        exchange = await self.partner.call(claim, connection)
        if exchange.sent_at is None:  # this process stood still between its last look and the write
            self.unsent[claim.kind].append(claim)
            return
        now = self._now()
        self._settler.count_wait(self.partner, max(0.0, claim.slot - claim.leave_by + LOOK_GOOD_S))
        self.places.observe(now - exchange.sent_at)
        item = await self._interpret(claim, exchange)
        pause = pause_for(item, exchange.answer)
        if pause is not None:
            self.partner.throttle(self._now() + pause)
            self.partner.unrecorded += 1
            await self._settler.record_throttle(self.partner, pause)
            self.partner.recorded()
        # Waits while too many replies are unwritten; the sender is parked with it.
        reply = (self.partner, item, now - exchange.sent_at, exchange.sent_at)
        if not self._settler.take(reply):
            await self._settler.put(reply)
        self.holding[claim.kind] -= 1
        if claim.kind is Kind.CANCEL:
            self.partner.told.done(claim.cancellation_id)

    async def _interpret(self, claim: Claim, exchange: Exchange) -> Settlement:
        """What an answer changes, once it is known whether the vendor knows us at all."""
        known = False
        if exchange.sent_at is not None and self.partner.refuses_us(claim, exchange.answer):
            if self.partner.secret_changes:
                self._settler.log.warning("partner.secret_changes", partner=self.partner.name)
            known = await self.partner.judge_refusal(exchange.answer, exchange.sent_at, stopped=lambda: self._stopped)
        sign = self.partner.wrong_status_address(claim, exchange.answer)
        item = self.partner.settle(
            claim,
            exchange.answer,
            sent_at=self._at(exchange.sent_at),
            replied_at=self._at(exchange.replied_at),
            known=known,
            wrong_address=sign is not None,
        )
        if sign is not None:
            await self._settler.halt_for_status_address(self.partner, sign)
        return item

    def _at(self, moment: float | None) -> datetime | None:
        """A moment of this process's clock as the database's clock shows it, whatever this host's clock says."""
        return None if moment is None else datetime.fromtimestamp(moment + self.clock_offset_s, UTC)


def _head(queue: deque[Claim], until: float) -> Iterable[Claim]:
    """The claims at the head of a queue whose slots have come."""
    for claim in queue:
        if claim.slot > until:
            return
        yield claim
