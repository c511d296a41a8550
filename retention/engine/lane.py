"""Claim and send: one lane for each partner and kind of request."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from retention.core.model import Kind, Outcome
from retention.core.outcome import pause_for
from retention.core.pacing import LateBudget, batch_size
from retention.engine.persist import persist

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from retention.core.model import Claim
    from retention.engine.desk import Desk
    from retention.engine.partner import Partner
    from retention.ledger.answers import Claimed
    from retention.ledger.work import WorkLedger

BATCH = 500
"""Rounds claimed at once, at the most."""

BRIEF = 0.2
"""Seconds: a shorter wait is not broken off by a stop, which would cost each request more than its wait is worth."""

POLL = 0.1
"""Seconds between looks for something to claim, where there was nothing."""


class Lane:
    """Claims rounds in batches, and sends each request in its slot.

    A feeder keeps a bounded queue of claims filled; as many senders as may be in flight empty it. Whoever finds that a
    request may not leave any more puts the claim back, and the feeder hands it back to the ledger.
    """

    def __init__(self, kind: Kind, partner: Partner, ledger: WorkLedger, desk: Desk) -> None:
        self.partner = partner
        self.idle = False
        self.reached = 0  # the highest id that was claimed here
        self._kind = kind
        self._ledger = ledger
        self._desk = desk
        self._claims: deque[Claim] = deque()
        self._idlers: deque[asyncio.Future[None]] = deque()
        self._unsent: list[Claim] = []
        self._late: list[Claim] = []
        self._holding = 0
        self._stopping = asyncio.Event()
        self._budget = LateBudget(partner.terms.rate)
        self._batch = 1  # until it is known how fast the partner may be called just now
        self._step = 1 / partner.terms.rate
        self._after = 0
        self._clock = 0.0
        self._now: Callable[[], float] = time.monotonic  # the loop's own clock may be as coarse as a millisecond

    @property
    def quiet(self) -> bool:
        """Whether there was nothing to claim at the last look, and nothing is in this lane's hands."""
        return self.idle and not self._holding

    def stop(self) -> None:
        """No request leaves after this; what is in flight is waited for."""
        self._stopping.set()

    async def run(self) -> None:
        """Work until stopped and drained."""
        senders = [asyncio.create_task(self._send_all()) for _ in range(self.partner.concurrency)]
        try:
            while not self._stopping.is_set():
                await self._feed()
        finally:
            # Also where the feeder failed: what is in flight is money, and is waited for.
            self._stopping.set()
            self._rouse(len(self._idlers))
            ends = await asyncio.gather(*senders, return_exceptions=True)
            self._unsent += [*self._late, *self._claims]
            self._claims.clear()
            await self._hand_back()
        for end in ends:
            if isinstance(end, BaseException):
                raise end

    async def _feed(self) -> None:
        """One look: hand back, reserve anew, claim."""
        await self._hand_back()
        if self.partner.blocked(self._now()) or self._desk.closed:
            self._batch = 1  # it may be called more slowly when this is over
            self._unsent, self._late = self._unsent + self._late, []  # no new slot will come: they are handed back
            self.idle = self.partner.halted
            return await self._pause(POLL)
        await self._reserve_late()
        if len(self._claims) > (self._batch if self._batch == BATCH else self._batch // 2):
            return await self._pause(max(0.005, min(POLL, self._batch * self._step / 4)))
        looked = self._now()
        claimed = await persist(
            lambda: self._ledger.claim(
                self._kind,
                self.partner.terms,
                after=self._after,
                # A partner that could not be reached just now is tried with one round.
                batch=1 if self.partner.reach.outages else self._batch,
            ),
            until=self._stopping,
            on_away=self._desk.note_silence,
        )
        if claimed is not None:
            await self._take(claimed, looked)
        return None

    async def _take(self, claimed: Claimed, looked: float) -> None:
        for dropped in claimed.dropped:
            self._desk.note_dropped(dropped)
        if claimed.clock is not None:
            self._clock = claimed.clock
        if claimed.step is not None:
            self._step, self._batch = claimed.step, batch_size(1 / claimed.step, BATCH)
        # The whole fleet walks the plan in one order; whoever is behind may jump to the front.
        self._after = max(self._after, claimed.last_id)
        self.reached = max(self.reached, claimed.last_id)
        self._holding += len(claimed.claims)
        self._give(claimed.claims)
        if claimed.claims or claimed.dropped:
            self.idle = False
        elif claimed.open:
            # What others hand back lies behind: look again from the start, but not more often than it is cheap.
            self.idle, self._after = True, 0
            await self._rest(max(POLL, min(10 * (self._now() - looked), 10.0)))
        else:
            await self._pause(POLL)

    async def _send_all(self) -> None:
        try:
            await self._send_each()
        except Exception:
            self._stopping.set()  # a lane that has lost a sender would wait for its claims for ever
            raise

    async def _send_each(self) -> None:
        clock, timeout = self._now, self.partner.terms.timeout
        while True:
            while not self._claims:
                if self._stopping.is_set():
                    return
                idler = asyncio.get_running_loop().create_future()
                self._idlers.append(idler)
                await idler
            claim, now = self._claims.popleft(), clock()
            if claim.slot > now:
                await self._pause(claim.slot - now)
                self._desk.note_wait(self.partner, claim.slot - now)
                now = clock()
            if self._stopping.is_set() or self.partner.blocked(now) or self._desk.closed:
                self._unsent.append(claim)
            elif now + timeout > claim.expires:
                self._holding -= 1  # the lease is as good as gone: whoever finds it expired decides
            elif not self._budget.allows(claim.slot, now):
                self._late.append(claim)
            else:
                await self._send(claim)

    def _give(self, claims: Sequence[Claim]) -> None:
        """Hand claims to the senders."""
        self._claims.extend(claims)
        self._rouse(len(claims))

    def _rouse(self, senders: int) -> None:
        for _ in range(min(senders, len(self._idlers))):
            idler = self._idlers.popleft()
            if not idler.done():  # cancelled, as all is when the loop is torn down
                idler.set_result(None)

    async def _send(self, claim: Claim) -> None:
        exchange = await self.partner.call(claim)
        now = self._now()
        self.partner.reach.note(exchange.answer, now, self._desk.fraction())
        item = self.partner.settle(
            claim,
            exchange.answer,
            sent_at=self._at(exchange.sent_at),
            replied_at=self._at(exchange.replied_at),
        )
        if item.outcome is Outcome.UNAUTHORIZED:
            self.partner.halted = True
        pause = pause_for(item, exchange.answer)
        if pause is not None:
            self.partner.throttled_until = max(self.partner.throttled_until, now + pause)
            await self._desk.note_throttled(self.partner, pause)
        # Waits while too many replies are unwritten; the sender is parked with it.
        reply = (self.partner, item, now - exchange.sent_at if exchange.sent_at is not None else None)
        if not self._desk.take(reply):
            await self._desk.put(reply)
        self._holding -= 1

    async def _hand_back(self) -> None:
        claims, self._unsent = self._unsent, []
        if not claims:
            return
        released = await persist(lambda: self._ledger.release(claims), until=self._stopping)
        if released is None:  # their leases run out, and they become doubts
            self._desk.log.warning("round.release_failed", partner=self.partner.name, rounds=len(claims))
        self._after = min([self._after, *(claim.cancellation_id - 1 for claim in claims)])
        self._holding -= len(claims)

    async def _reserve_late(self) -> None:
        """Give claims whose slots went by new ones; they are sent in their turn, not in a burst.

        Those whose turn would not come soon are handed back: by then the look at the operator's view would be old.
        """
        claims, self._late = self._late, []
        if not claims:
            return
        kept = await persist(
            lambda: self._ledger.reserve(self._kind, self.partner.terms, claims),
            until=self._stopping,
        )
        kept = kept or []  # None: told to stop meanwhile
        ours = {claim.uuid for claim in kept}
        self._unsent += [claim for claim in claims if claim.uuid not in ours]
        self._give(kept)

    async def _rest(self, seconds: float) -> None:
        """Wait, but not beyond the moment when claims come back: their leases run out meanwhile."""
        until = self._now() + seconds
        while not (self._late or self._unsent or self._stopping.is_set()) and (left := until - self._now()) > 0:
            await self._pause(min(POLL, left))

    async def _pause(self, seconds: float) -> None:
        """Wait, but not beyond a stop."""
        if seconds < BRIEF:
            await asyncio.sleep(seconds)
            return
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            pass

    def _at(self, moment: float | None) -> datetime | None:
        """A moment of this process's clock as the database's clock shows it, whatever this host's clock says."""
        return None if moment is None else datetime.fromtimestamp(moment + self._clock, UTC)
