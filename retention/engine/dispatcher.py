"""Claims rounds for one partner and one kind of request, in batches that can leave while their look is young.

A claim looks at the operator's view and the holds; that look is good for less than a second. Claims are therefore made
for connections at hand and places that become free soon, so no claim grows old at a slow vendor. A sender that
may not send returns its claim, and the dispatcher releases it in the ledger.

With `asker`, the dispatcher of status probes, a cancel is claimed only for a round that the vendor has just called in
progress. That permission passes from the probe to the cancel in memory, and the claim checks it in the ledger.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from retention.core.model import Kind
from retention.core.sending.pacing import LOOK_GOOD_S, batch_size
from retention.engine.retry import retry_until

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from retention.core.model import Claim
    from retention.engine.lifecycle import Lifecycle
    from retention.engine.run_partner import RunPartner
    from retention.engine.senders import Senders
    from retention.engine.settler import Settler
    from retention.ledger.claims import Claims
    from retention.ledger.results import ClaimBatch

BATCH_MAX = 500
"""Rounds claimed at once, at the most."""

POLL_S = 0.1
"""Seconds between looks for something to claim, after a look that found nothing."""

PLACE_POLL_S = 0.01
"""Seconds between looks for a place or a connection, where a round could be claimed."""

EMPTY_REST_MAX_S = 10.0
"""Seconds of rest, at the most, after a slow look that found nothing."""

SLOW_CLAIM_S = LOOK_GOOD_S / 3
"""Seconds that a claim may take; after a slower one the next is for fewer rounds."""


class Dispatcher:
    """Claims rounds in batches, gives them to the senders, and releases the claims that may not leave.

    `idle`: the last look found nothing to claim.
    """

    def __init__(
        self,
        kind: Kind,
        senders: Senders,
        claims: Claims,
        settler: Settler,
        lifecycle: Lifecycle,
        asker: Dispatcher | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.kind = kind
        self.partner: RunPartner = senders.partner
        self.idle = False
        self._senders = senders
        self._claims = claims
        self._settler = settler
        self._lifecycle = lifecycle
        self._asker = asker
        self._now = now
        self._batch = 1  # until it is known how fast the partner may be called just now
        self._slot_step_s = 1 / self.partner.terms.rate_of(kind)
        self._cursor = 0
        self._too_slow = False
        self._due_first = False  # whether retries that are due have the first turn, or new rounds

    @property
    def is_idle(self) -> bool:
        """Whether the last look found nothing to claim, and no claim or permission is in hand."""
        waiting = self._asker is not None and len(self.partner.asked) and not self.partner.state.is_stopped
        return self.idle and not self._senders.holding[self.kind] and not waiting

    async def run(self) -> None:
        """Claim until the engine drains."""
        while self._lifecycle.running:
            await self._rest(await self.claim_once())

    async def release_all(self) -> None:
        """Release every claim that has not left, once the senders have drained."""
        self._senders.withdraw(self.kind, expired_only=False)
        await self.release()

    def rewind_to(self, cancellation_id: int) -> None:
        """Let the next claims begin at this cancellation, which lies behind."""
        self._cursor = min(self._cursor, cancellation_id - 1)

    async def claim_once(self) -> float:
        """Release, reserve new slots, and claim once; returns the seconds to rest before the next look."""
        now = self._now()
        blocked = self._settler.blocked or not self._senders.may_call(self.kind, now)
        self._senders.withdraw(self.kind, expired_only=not blocked)
        await self.release()
        if blocked:
            self._batch = 1  # the partner's rate may be lower when this is over
            self.idle = self.partner.state.is_stopped
            return POLL_S
        await self.reserve_late()
        permitted = self.permitted(now)
        if permitted == 0:
            self.idle = True
            self._senders.places.sated(self.kind)
            return POLL_S / 4
        if self._senders.waiting[self.kind] > self._batch // 2:
            return max(0.005, min(POLL_S, self._batch * self._slot_step_s / 4))
        # A look after a time without work is a small one: it keeps no places from the other kind.
        wanted = 1 if self.idle else self._batch
        wanted = wanted if permitted is None else min(wanted, permitted)
        granted = self._room(wanted)
        return PLACE_POLL_S if granted == 0 else await self.claim(granted, permitted)

    def permitted(self, now: float) -> int | None:
        """How many rounds the vendor has just called in progress; None where the ledger chooses."""
        if self._asker is None:
            return None
        asked = self.partner.asked
        ready = asked.ready(now, all_asked=self._asker.idle)
        for cancellation_id in asked.lapsed:
            self._asker.rewind_to(cancellation_id)
        asked.lapsed.clear()
        # Once every round is asked about, the ledger may have permissions left by a process that is gone.
        return None if ready == 0 and not len(asked) and self._asker.is_idle else ready

    def _room(self, wanted: int) -> int:
        """How many rounds can leave soon: over connections at hand, from free places."""
        senders, gateway = self._senders, self.partner.gateway
        in_flight = senders.places.in_flight.total()
        gateway.open_connections(self.kind, wanted, in_flight)
        connections = gateway.connections(self.kind) + in_flight
        return senders.places.room(self.kind, wanted, senders.waiting, connections)

    async def claim(self, batch: int, permitted: int | None) -> float:
        """Claim up to `batch` rounds, only `permitted` ones if given; returns the seconds to rest."""
        started, asked, senders = self._now(), self.partner.asked, self._senders
        taken = [] if permitted is None else asked.take(batch)
        new = asked.room(started, senders.holding[Kind.STATUS]) if self.kind is Kind.STATUS else None
        self._due_first = not self._due_first
        senders.waiting[self.kind] += batch
        claimed = await retry_until(
            lambda: self._claims.claim(
                self.kind,
                self.partner.terms,
                after=self._cursor or None,
                batch=batch,
                new=new,
                ids=None if permitted is None else taken,
                due_first=self._due_first,
                leave_tried=self._settler.skip_tried_reason is not None,
            ),
            until=self._lifecycle.draining,
            on_away=self._settler.report_database_silence,
        )
        senders.waiting[self.kind] -= batch
        if claimed is None:
            asked.put_back(taken)
            return 0.0
        asked.put_back(claimed.unslotted if claimed.open else taken)
        claims = {claim.cancellation_id for claim in claimed.claims}
        for cancellation_id in taken:
            if cancellation_id not in claims:  # another process has it, or it may not be called any more
                asked.forget(cancellation_id)
        return self._accept(claimed, self._now() - started, found_all=new is None or new > 0)

    def _accept(self, claimed: ClaimBatch, took: float, *, found_all: bool) -> float:
        """Give claims to the senders; returns the seconds to rest. `took`: the seconds that the claim took."""
        for skipped in claimed.skipped:
            self._settler.report_skipped(skipped)
        if claimed.clock_offset_s is not None:
            self._senders.clock_offset_s = claimed.clock_offset_s
        # All processes walk the plan in one order; one that is behind may jump to the front.
        self._cursor = max(self._cursor, claimed.last_id)
        self._senders.holding[self.kind] += len(claimed.claims)
        self._senders.enqueue(self._hold(claimed.claims))
        self._adapt(claimed, took)
        if claimed.claims or claimed.skipped:
            self.idle = False
            # Without a slot inside the horizon, a look for each slot that opens would cost too much.
            return POLL_S if claimed.unslotted else 0.0
        if claimed.open and not claimed.unslotted and found_all:
            # Rounds that others release lie behind: look again from the start, but no more often than is cheap.
            self.idle, self._cursor = True, 0
            self._senders.places.sated(self.kind)
            return max(POLL_S, min(10 * took, EMPTY_REST_MAX_S))
        return POLL_S

    def _hold(self, claims: Sequence[Claim]) -> list[Claim]:
        """Take claims in hand, but for rounds that are in hand already: the database has lost their older claims."""
        in_hand = self._settler.in_hand
        lost = [claim for claim in claims if in_hand.has_other(claim)]
        if lost:
            in_hand.doubted = True
            self._settler.log.warning("round.claimed_twice", partner=self.partner.name, rounds=len(lost))
            self._senders.unsent[self.kind] += lost
        mine = [claim for claim in claims if claim not in lost]
        in_hand.add(mine)
        return mine

    def _adapt(self, claimed: ClaimBatch, took: float) -> None:
        """Claim as many rounds as there are slots in a look's time, and fewer where the claim itself takes long."""
        if claimed.slot_interval_s is not None:
            self._slot_step_s = claimed.slot_interval_s
        most = batch_size(1 / self._slot_step_s, BATCH_MAX)
        self._batch = max(1, self._batch // 2) if took > SLOW_CLAIM_S else min(most, max(2 * self._batch, most // 2))
        too_slow = bool(claimed.claims) and took >= LOOK_GOOD_S
        if too_slow and not self._too_slow:
            self._settler.log.warning(
                "database.slow", partner=self.partner.name, took_s=round(took, 3), limit_s=LOOK_GOOD_S
            )
        self._too_slow = too_slow or (self._too_slow and not claimed.claims)

    async def release(self) -> None:
        """Release the claims whose requests may not leave."""
        claims = self._senders.unsent[self.kind]
        if not claims:
            return
        self._senders.unsent[self.kind] = []
        released = await retry_until(lambda: self._claims.release_claims(claims), until=self._lifecycle.draining)
        if released is None:  # their leases end, and another process expires them
            self._settler.log.warning("round.release_failed", partner=self.partner.name, rounds=len(claims))
        else:
            self._settler.in_hand.remember_released(claims, self._now())
        asked = self.partner.asked
        for claim in claims:
            if claim.may_have_taken_effect:
                asked.forget(claim.cancellation_id)  # a doubt needs a new probe
            if not asked.is_out(claim.cancellation_id):
                (self._asker or self).rewind_to(claim.cancellation_id)
            if not self._settler.in_hand.has_other(claim):
                self._settler.in_hand.drop(claim)
        asked.put_back([claim.cancellation_id for claim in claims])
        self._senders.holding[self.kind] -= len(claims)

    async def reserve_late(self) -> None:
        """Reserve new slots for claims that missed theirs, while their look is young; the other claims are unsent."""
        claims = self._senders.late[self.kind]
        if not claims:
            return
        self._senders.late[self.kind] = []
        kept = await retry_until(
            lambda: self._claims.reserve_slots(self.kind, self.partner.terms, claims),
            until=self._lifecycle.draining,
        )
        kept = kept or []  # None: the engine drains
        ours = {claim.uuid for claim in kept}
        self._settler.in_hand.add(kept)
        self._senders.unsent[self.kind] += [claim for claim in claims if claim.uuid not in ours]
        self._senders.enqueue(kept)

    async def _rest(self, seconds: float) -> None:
        """Rest; a long rest ends when claims come back, because no request leaves in their slots."""
        if seconds <= POLL_S:
            await asyncio.sleep(seconds)
            return
        until = self._now() + seconds
        senders, kind = self._senders, self.kind
        while self._lifecycle.running and not (senders.late[kind] or senders.unsent[kind]):
            if (left := until - self._now()) <= 0:
                return
            await asyncio.sleep(min(POLL_S, left))
