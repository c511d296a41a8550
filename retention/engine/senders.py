"""Sends the requests of one partner, each in its slot, over a connection that is already there.

Nothing is awaited between the check of a claim (`check_send`) and the write of its request. A pause, a halt or a
hold that is known then stops the request.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING

from retention.core.model import Kind
from retention.core.sending.decision import throttle_pause_s
from retention.core.sending.in_flight import InFlightLimit
from retention.core.sending.pacing import LOOK_GOOD_S, LateBudget
from retention.core.sending.send_check import SendCheck, check_send
from retention.engine.lifecycle import DrainReason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from retention.core.model import Claim, Settlement
    from retention.engine.lifecycle import Lifecycle
    from retention.engine.run_partner import RunPartner
    from retention.engine.settler import Settler
    from retention.vendor_api.client import Exchange
    from retention.vendor_api.connection import Connection

SLOT_EARLY_S = 0.0005
"""Seconds by which a slot may be used early: the event loop's timers are coarse."""

CONNECTION_POLL_S = 0.01
"""Seconds between looks for a connection, where a claim's slot has come and no connection is at hand."""


class Senders:
    """As many sender tasks as requests may be in flight, shared by cancel requests and status probes.

    A sender takes a claim when its slot comes, takes a connection, checks the claim once more, and writes the request.
    Claims that may not leave wait for the dispatcher of their kind: in `unsent` to be released, in `late` for another
    slot. `holding` counts the claims of this process whose replies are not handed to the settler yet; `waiting` those
    of them that have not left. `now` is the monotonic clock, and `clock_offset_s` the database's clock minus it.
    """

    def __init__(
        self,
        partner: RunPartner,
        settler: Settler,
        lifecycle: Lifecycle,
        clock_agrees: Callable[[], bool],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.partner = partner
        self.places = InFlightLimit(partner.gateway.concurrency)
        self.waiting: Counter[Kind] = Counter()
        self.unsent: dict[Kind, list[Claim]] = {kind: [] for kind in Kind}
        self.late: dict[Kind, list[Claim]] = {kind: [] for kind in Kind}
        self.holding: Counter[Kind] = Counter()
        self.clock_offset_s = 0.0
        self._settler = settler
        self._lifecycle = lifecycle
        self._clock_agrees = clock_agrees
        self._now = now  # not the loop's own clock, which may be as coarse as a millisecond
        self._queues: dict[Kind, deque[Claim]] = {kind: deque() for kind in Kind}
        self._unconnected: Counter[Kind] = Counter()  # claims whose slots have come, and that wait for a connection
        self._waiting_senders: deque[asyncio.Future[None]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._budgets = {kind: LateBudget(partner.terms.late_rate_of(kind)) for kind in Kind}

    def may_call(self, kind: Kind, now: float) -> bool:
        """Whether the partner may be called, by its state and by the database's clock."""
        return self.partner.state.may_call(kind, now) and self._clock_agrees()

    def wake(self) -> None:
        """Wake all senders: the engine drains. No request leaves after that."""
        self._wake_senders(len(self._waiting_senders))

    async def run(self) -> None:
        """Send until the engine drains and every request in flight has its reply."""
        senders = [asyncio.create_task(self._send_all()) for _ in range(self.places.capacity)]
        try:
            await asyncio.gather(*senders)
        finally:
            # Also where a sender failed: a request in flight is money, and is waited for.
            self._lifecycle.drain(DrainReason.RUN_ENDED)
            self.wake()
            await asyncio.gather(*senders, return_exceptions=True)
            if self._timer is not None:
                self._timer.cancel()

    def enqueue(self, claims: Iterable[Claim]) -> None:
        """Take claims, each to be sent in its slot."""
        for claim in claims:
            self._queues[claim.kind].append(claim)
            self.waiting[claim.kind] += 1
        self._arm()

    def withdraw(self, kind: Kind, *, expired_only: bool) -> None:
        """Move claims that wait for their slots to `unsent`: all of them, or only the expired ones."""
        now, queue = self._now(), self._queues[kind]
        kept = [claim for claim in queue if expired_only and now < claim.send_by]
        if len(kept) < len(queue):
            if expired_only:
                self.places.waited_too_long()
            self.unsent[kind] += [claim for claim in queue if not expired_only or now >= claim.send_by]
            self._queues[kind] = deque(kept)
            self.waiting[kind] -= len(queue) - len(kept)
        if not expired_only:
            self.unsent[kind] += self.late[kind]
            self.late[kind] = []

    def queued(self) -> list[Claim]:
        """The claims that wait for their slots."""
        return [claim for queue in self._queues.values() for claim in queue]

    def take_due(self) -> Claim | None:
        """Take the claim whose slot has come; once the engine drains, any claim."""
        queue = self._first_queue()
        if queue is None or (queue[0].slot > self._now() + SLOT_EARLY_S and self._lifecycle.running):
            return None
        claim = queue.popleft()
        self.waiting[claim.kind] -= 1
        return claim

    def check(self, claim: Claim, *, connected: bool) -> bool:
        """Whether a claim's request may leave now; otherwise the claim waits in `unsent` or `late`."""
        kind, now = claim.kind, self._now()
        found = check_send(
            claim, now, allowed=self._may_send(kind, now), connected=connected, budget=self._budgets[kind]
        )
        if found is SendCheck.SEND:
            return True
        (self.late if found is SendCheck.NEW_SLOT else self.unsent)[kind].append(claim)
        return False

    async def receive(self, claim: Claim, exchange: Exchange) -> Settlement | None:
        """Hand a request's reply to the settler; None where the request did not leave.

        Waits while too many replies are unwritten, so that the sender is parked with its reply.
        """
        sent_at = exchange.sent_at
        if sent_at is None:  # this process stood still between its check and the write
            self.unsent[claim.kind].append(claim)
            return None
        now, partner = self._now(), self.partner
        self._settler.count_wait(partner, max(0.0, claim.slot - claim.send_by + LOOK_GOOD_S))
        self.places.observe(now - sent_at)
        item = await self._interpret(claim, exchange)
        pause = throttle_pause_s(item, exchange.answer)
        if pause is not None:
            partner.state.throttle(self._now() + pause)
            await self._settler.record_throttle(partner, pause)
            partner.state.throttle_recorded(self._now())
        reply = (partner, item, now - sent_at, sent_at)
        if not self._settler.offer(reply):
            await self._settler.put(reply)
        self.holding[claim.kind] -= 1
        if claim.kind is Kind.CANCEL:
            partner.asked.forget(claim.cancellation_id)
        return item

    async def _send_all(self) -> None:
        while True:
            claim = self.take_due()
            if claim is not None:
                await self._send_or_return(claim)
            elif not self._lifecycle.running:
                return
            else:
                waiter = asyncio.get_running_loop().create_future()
                self._waiting_senders.append(waiter)
                self._arm()
                await waiter

    def _first_queue(self) -> deque[Claim] | None:
        """The queue whose first claim's slot comes first."""
        return min((queue for queue in self._queues.values() if queue), key=lambda queue: queue[0].slot, default=None)

    def _arm(self) -> None:
        """Have a sender woken when the next slot comes."""
        queue = self._first_queue()
        if queue is None or not self._waiting_senders:
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
        now = self._now() + SLOT_EARLY_S
        due = (claim for queue in self._queues.values() for claim in _head(queue, now))
        self._wake_senders(sum(1 for _ in islice(due, len(self._waiting_senders))))
        self._arm()

    def _wake_senders(self, senders: int) -> None:
        for _ in range(min(senders, len(self._waiting_senders))):
            waiter = self._waiting_senders.popleft()
            if not waiter.done():  # cancelled, as all is when the loop is torn down
                waiter.set_result(None)

    async def _send_or_return(self, claim: Claim) -> None:
        """Send a claim whose slot has come, if it may leave."""
        kind, gateway = claim.kind, self.partner.gateway
        self.places.began(kind)
        connection = None
        try:
            connection = gateway.take_connection(kind) or await self._wait_for_connection(claim)
            if self.check(claim, connected=connection is not None) and connection is not None:
                await self.receive(claim, await gateway.call(claim, connection))
            elif connection is not None:
                gateway.return_connection(kind, connection)
        except BaseException:
            if connection is not None:
                connection.close()
            raise
        finally:
            self.places.ended(kind)
            if self._lifecycle.running and gateway.uses_connections_once(kind):
                self._replace_connections(kind)

    def _replace_connections(self, kind: Kind) -> None:
        """Make connections for the claims that wait: this vendor's requests give none back."""
        unconnected = self._unconnected
        wanted = self.waiting[kind] + unconnected[kind]
        if wanted and self.may_call(kind, self._now()):
            in_flight = self.places.in_flight.total() - unconnected.total()
            self.partner.gateway.open_connections(kind, wanted, in_flight)

    def _may_send(self, kind: Kind, now: float) -> bool:
        return self._lifecycle.running and not self._settler.blocked and self.may_call(kind, now)

    async def _wait_for_connection(self, claim: Claim) -> Connection | None:
        """Wait for a new connection, or one that another request gives back; None where none came in time."""
        kind = claim.kind
        self._unconnected[kind] += 1
        try:
            while self._may_send(kind, now := self._now()) and now < claim.send_by:
                self._replace_connections(kind)
                await asyncio.sleep(CONNECTION_POLL_S)
                if (connection := self.partner.gateway.take_connection(kind)) is not None:
                    return connection
        finally:
            self._unconnected[kind] -= 1
        return None

    async def _interpret(self, claim: Claim, exchange: Exchange) -> Settlement:
        """Decide how an answer changes the round, once it is known whether the vendor refuses us or this round."""
        credentials_accepted, gateway = False, self.partner.gateway
        if exchange.sent_at is not None and gateway.refuses_us(claim, exchange.answer):
            if gateway.secret_changes:
                self._settler.log.warning("partner.secret_changes", partner=self.partner.name)
            credentials_accepted = await gateway.judge_refusal(
                exchange.answer, exchange.sent_at, stopped=lambda: not self._lifecycle.running
            )
        sign = gateway.wrong_status_address(claim, exchange.answer)
        item = gateway.interpret(
            claim,
            exchange.answer,
            sent_at=self._at(exchange.sent_at),
            replied_at=self._at(exchange.replied_at),
            credentials_accepted=credentials_accepted,
            wrong_address=sign is not None,
        )
        if sign is not None:
            await self._settler.halt_for_status_address(self.partner, sign)
        return item

    def _at(self, moment: float | None) -> datetime | None:
        """A moment of the monotonic clock as the database's clock shows it, not this host's calendar clock."""
        return None if moment is None else datetime.fromtimestamp(moment + self.clock_offset_s, UTC)


def _head(queue: deque[Claim], until: float) -> Iterable[Claim]:
    """The claims at the head of a queue whose slots have come."""
    for claim in queue:
        if claim.slot > until:
            return
        yield claim
