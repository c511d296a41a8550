"""Claim: for one partner and kind of request, as many rounds as can leave while the look at them is young."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from retention.core.model import Kind
from retention.core.sending.pacing import LOOK_GOOD_S, batch_size
from retention.engine.retry import retry_until

if TYPE_CHECKING:
    from collections.abc import Sequence

    from retention.core.model import Claim
    from retention.engine.partner import Partner
    from retention.engine.senders import Senders
    from retention.engine.settler import Settler
    from retention.ledger.claims import Claims
    from retention.ledger.results import ClaimBatch

BATCH = 500
"""Rounds claimed at once, at the most."""

BRIEF_S = 0.2
"""Seconds: a shorter wait is not broken off by a stop, which would cost each request more than its wait is worth."""

POLL_S = 0.1
"""Seconds between looks for something to claim, where there was nothing."""

SOON_S = 0.01
"""Seconds between looks for a place or a connection, where there is something to claim."""

SLOW_S = LOOK_GOOD_S / 3
"""Seconds that a claim may take; after a slower one the next is for fewer rounds."""


class Dispatcher:
    """Claims rounds in batches, gives them to the senders, and releases what may not leave.

    A claim is only made for connections in hand and places that are free soon: its look at the operator's view is good
    for less than a second. With `asker`, the dispatcher of questions, a cancel is claimed for a round only once the
    vendor has said that it is in progress.
    """

    def __init__(
        self, kind: Kind, senders: Senders, claims: Claims, settler: Settler, asker: Dispatcher | None = None
    ) -> None:
        self.partner: Partner = senders.partner
        self.idle = False
        self.reached = 0  # the highest id that was claimed here
        self._kind = kind
        self._senders = senders
        self._ledger = claims
        self._settler = settler
        self._asker = asker
        self._stopping = asyncio.Event()
        self._batch = 1  # until it is known how fast the partner may be called just now
        self._step = 1 / self.partner.terms.rate_of(kind)
        self._cursor = 0
        self._too_slow = False
        self._due_first = False  # whether what is due again has the first turn, or what is new

    @property
    def quiet(self) -> bool:
        """Whether there was nothing to claim at the last look, and nothing is in hand."""
        waiting = self._asker is not None and len(self.partner.told) and not self.partner.stopped
        return self.idle and not self._senders.holding[self._kind] and not waiting

    def stop(self) -> None:
        """Nothing is claimed after this."""
        self._stopping.set()

    async def run(self) -> None:
        """Claim until stopped."""
        while not self._stopping.is_set():
            await self._claim_once()

    async def wind_up(self) -> None:
        """Once nothing is sent any more: release what is left."""
        self._senders.withdraw(self._kind, expired_only=False)
        await self._release()

    def look_from(self, cancellation_id: int) -> None:
        """This round, which lies behind, is to be claimed again."""
        self._cursor = min(self._cursor, cancellation_id - 1)

    async def _claim_once(self) -> None:
        """One look: release, reserve anew, claim."""
        now = time.monotonic()
        blocked = self.partner.blocked(self._kind, now) or self._settler.blocked
        self._senders.withdraw(self._kind, expired_only=not blocked)
        await self._release()
        if blocked:
            self._batch = 1  # it may be called more slowly when this is over
            self.idle = self.partner.stopped
            return await self._pause(POLL_S)
        await self._reserve_late()
        told = self._ready(now)
        if told == 0:
            self.idle = True
            self._senders.places.sated(self._kind)
            return await self._pause(POLL_S / 4)
        if self._senders.waiting[self._kind] > self._batch // 2:
            return await self._pause(max(0.005, min(POLL_S, self._batch * self._step / 4)))
        # A look after a time without work is a small one: it keeps no places from the other kind.
        wanted = 1 if self.idle else self._batch
        wanted = wanted if told is None else min(wanted, told)
        granted = self._room(wanted)
        if granted == 0:
            return await self._pause(SOON_S)
        return await self._claim(granted, told)

    def _ready(self, now: float) -> int | None:
        """How many rounds the vendor has just called in progress; None where the ledger says what is to be claimed."""
        if self._asker is None:
            return None
        told = self.partner.told
        ready = told.ready(now, all_asked=self._asker.idle)
        for cancellation_id in told.lapsed:
            self._asker.look_from(cancellation_id)
        told.lapsed.clear()
        # Where all is asked, what is left was asked about by a process that is gone.
        return None if ready == 0 and not len(told) and self._asker.quiet else ready

    def _room(self, wanted: int) -> int:
        """How many rounds can leave soon: over connections in hand, from free places."""
        self.partner.open_connections(self._kind, wanted, self._senders.places)
        connections = self.partner.connections(self._kind) + self._senders.places.in_flight.total()
        return self._senders.places.room(self._kind, wanted, self._senders.waiting, connections)

    async def _claim(self, batch: int, told: int | None) -> None:
        started = time.monotonic()
        taken = [] if told is None else self.partner.told.take(batch)
        new = None
        if self._kind is Kind.STATUS:
            new = self.partner.told.room(started, self._senders.holding[Kind.STATUS])
        self._due_first = not self._due_first
        self._senders.waiting[self._kind] += batch
        claimed = await retry_until(
            lambda: self._ledger.claim(
                self._kind,
                self.partner.terms,
                after=self._cursor,
                batch=batch,
                new=new,
                ids=None if told is None else taken,
                due_first=self._due_first,
                leave_tried=self._settler.leaves_tried is not None,
            ),
            until=self._stopping,
            on_away=self._settler.note_silence,
        )
        self._senders.waiting[self._kind] -= batch
        if claimed is None:
            self.partner.told.put_back(taken)
            return
        self.partner.told.put_back(claimed.unslotted if claimed.open else taken)
        claims = {claim.cancellation_id for claim in claimed.claims}
        for cancellation_id in taken:
            if cancellation_id not in claims:  # another process has it, or it is not to be called
                self.partner.told.done(cancellation_id)
        await self._accept(claimed, time.monotonic() - started, found_all=new is None or new > 0)

    async def _accept(self, claimed: ClaimBatch, took: float, *, found_all: bool) -> None:
        for dropped in claimed.skipped:
            self._settler.note_dropped(dropped)
        if claimed.clock_offset_s is not None:
            self._senders.clock_offset_s = claimed.clock_offset_s
        # The whole fleet walks the plan in one order; a process that is behind may jump to the front.
        self._cursor = max(self._cursor, claimed.last_id)
        self.reached = max(self.reached, claimed.last_id)
        self._senders.holding[self._kind] += len(claimed.claims)
        self._senders.give(self._hold(claimed.claims))
        self._adapt(claimed, took)
        if claimed.claims or claimed.skipped:
            self.idle = False
            if claimed.unslotted:  # the fleet has all slots within the horizon: a look for each new one would be dear
                await self._pause(POLL_S)
        elif claimed.open and not claimed.unslotted and found_all:
            # What others release lies behind: look again from the start, but not more often than it is cheap.
            self.idle, self._cursor = True, 0
            self._senders.places.sated(self._kind)
            await self._rest(max(POLL_S, min(10 * took, 10.0)))
        else:
            await self._pause(POLL_S)

    def _hold(self, claims: Sequence[Claim]) -> list[Claim]:
        """Take claims in hand, but for rounds that are in hand already: the database has lost their older claims."""
        in_hand = self._settler.in_hand
        lost = [claim for claim in claims if in_hand.has_other(claim)]
        if lost:
            in_hand.doubted = True
            self._settler.log.warning("round.claimed_twice", partner=self.partner.name, rounds=len(lost))
            self._senders.unsent[self._kind] += lost
        mine = [claim for claim in claims if claim not in lost]
        in_hand.add(mine)
        return mine

    def _adapt(self, claimed: ClaimBatch, took: float) -> None:
        """Claim as many as the slots within a look's time, and fewer where looking itself takes long."""
        if claimed.slot_interval_s is not None:
            self._step = claimed.slot_interval_s
        most = batch_size(1 / self._step, BATCH)
        self._batch = max(1, self._batch // 2) if took > SLOW_S else min(most, max(2 * self._batch, most // 2))
        too_slow = bool(claimed.claims) and took >= LOOK_GOOD_S
        if too_slow and not self._too_slow:
            self._settler.log.warning(
                "database.slow", partner=self.partner.name, took_s=round(took, 3), limit_s=LOOK_GOOD_S
            )
        self._too_slow = too_slow or (self._too_slow and not claimed.claims)

    async def _release(self) -> None:
        claims = self._senders.unsent[self._kind]
        if not claims:
            return
        self._senders.unsent[self._kind] = []
        released = await retry_until(lambda: self._ledger.release_claims(claims), until=self._stopping)
        if released is None:  # their leases run out, and another process finds them
            self._settler.log.warning("round.release_failed", partner=self.partner.name, rounds=len(claims))
        else:
            self._settler.in_hand.remember_released(claims, time.monotonic())
        told = self.partner.told
        for claim in claims:
            if claim.doubtful:
                told.done(claim.cancellation_id)  # a doubt is asked about anew
            if not told.is_out(claim.cancellation_id):
                (self._asker or self).look_from(claim.cancellation_id)
            if not self._settler.in_hand.has_other(claim):
                self._settler.in_hand.drop(claim)
        told.put_back([claim.cancellation_id for claim in claims])
        self._senders.holding[self._kind] -= len(claims)

    async def _reserve_late(self) -> None:
        """Give claims whose slots went by new ones, while the look at their rounds is young; release the others."""
        claims = self._senders.late[self._kind]
        if not claims:
            return
        self._senders.late[self._kind] = []
        kept = await retry_until(
            lambda: self._ledger.reserve_slots(self._kind, self.partner.terms, claims),
            until=self._stopping,
        )
        kept = kept or []  # None: told to stop meanwhile
        ours = {claim.uuid for claim in kept}
        self._settler.in_hand.add(kept)
        self._senders.unsent[self._kind] += [claim for claim in claims if claim.uuid not in ours]
        self._senders.give(kept)

    async def _rest(self, seconds: float) -> None:
        """Wait, but not beyond the moment when claims come back: nothing is sent in their slots."""
        until = time.monotonic() + seconds
        senders, kind = self._senders, self._kind
        while (
            not (senders.late[kind] or senders.unsent[kind] or self._stopping.is_set())
            and (left := until - time.monotonic()) > 0
        ):
            await self._pause(min(POLL_S, left))

    async def _pause(self, seconds: float) -> None:
        """Wait, but not beyond a stop."""
        if seconds < BRIEF_S:
            await asyncio.sleep(seconds)
            return
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            pass
