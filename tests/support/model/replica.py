"""A replica, one step at a time: the engine of production, without its loops.

Its dispatchers, senders, settler, watcher and finisher are the ones that `retention run` starts, with the same partner
state, gateway and ledger. The model chooses the next step, and the faults of network and database. It forgets a replica
to let it crash. Nothing comes between the check of a claim and its request.
"""

from __future__ import annotations

import asyncio
import dataclasses
from typing import TYPE_CHECKING, cast

from retention.core.model import Kind, Unclear
from retention.core.sending.wire import decode
from retention.engine.lifecycle import DrainReason
from retention.ledger.engine_ledger import EngineLedger
from retention.vendor_api.client import Exchange
from support.model.engine_parts import engine_of, partner_of
from support.model.fated import Fate, FatedSettlements

if TYPE_CHECKING:
    from uuid import UUID

    from retention.core.model import Answer, Claim, Settlement
    from retention.ledger.database import Database
    from retention.ledger.results import SettledRow
    from retention.ledger.terms import PartnerTerms
    from support.model.database import ModelDatabase
    from support.model.vendor import Sent, Wire


class Replica:
    """One process at work on one run, by the model's connections or by those of a `database` of its own."""

    def __init__(
        self, number: int, db: ModelDatabase, terms: PartnerTerms, run_id: UUID, database: Database | None = None
    ) -> None:
        self.name = f"replica {number}"
        self.number = number
        self.waiting: dict[str, Sent] = {}
        self.released: list[str] = []
        """All attempts that it has released."""
        self._empty: set[Kind] = set()
        self._db = db
        self._terms = terms
        ledger = EngineLedger.of_run(database or db.database, run_id, self.name, None, lambda: db.now)
        self._settlements = FatedSettlements(ledger.settlements)
        self.ledger = dataclasses.replace(ledger, settlements=self._settlements)
        self._writing: asyncio.Task[bool] | None = None
        partner = partner_of(terms)
        self.state = partner.state
        self._engine = engine_of(self.ledger, partner, run_id, lambda: db.now)
        self._senders, self._settler = self._engine.senders[0], self._engine.settler
        self._dispatchers = {dispatcher.kind: dispatcher for dispatcher in self._engine.dispatchers}

    # Read by the model before it chooses a step.

    @property
    def claims(self) -> list[Claim]:
        """The claims that wait for their slots."""
        return self._senders.queued()

    @property
    def returned(self) -> bool:
        """Whether claims wait to be released, or for other slots."""
        return any((*self._senders.unsent.values(), *self._senders.late.values())) or (
            self.stopping and bool(self.claims)
        )

    @property
    def unwritten(self) -> bool:
        """Whether replies wait to be written, for the first time or again."""
        return not self._settler.empty or self.repairing

    @property
    def repairing(self) -> bool:
        """Whether a batch waits for its next try, or replies that a server which is gone had are to be written
        again.
        """
        return self._settler.writes_again or self._writing is not None

    @property
    def stopping(self) -> bool:
        """Whether it drains."""
        return not self._engine.lifecycle.running

    @property
    def closed(self) -> bool:
        """Whether the database is away."""
        return self._settler.blocked

    @property
    def idle(self) -> bool:
        """Whether nothing is in its hands."""
        return not (self.claims or self.returned or self.waiting or self.unwritten)

    @property
    def done(self) -> bool:
        """Whether the run may be over, or it has nothing more to do than to go."""
        return self.idle and (self.stopping or self.state.halted or Kind.CANCEL in self._empty)

    def may_claim(self, kind: Kind) -> bool:
        """Whether it may claim for that kind now, and has not found nothing since the last news."""
        callable_now = not self.stopping and not self.closed and self.state.may_call(kind, self._db.now)
        return callable_now and kind not in self._empty

    def wake(self) -> None:
        """There is news, so that there may be something to claim."""
        self._empty.clear()

    @property
    def left(self) -> list[str]:
        """The attempts whose requests have left, and whose replies are not written."""
        return [*self.waiting, *(claim.uuid for claim in self._settler.unwritten)]

    # The steps.

    def stop(self) -> None:
        """Drain, as after a signal."""
        self._engine.stop()

    async def claim(self, kind: Kind, batch: int, *, heard: bool = True) -> list[Claim]:
        """Claim, and take the claims in hand if the answer is `heard`; returns the new claims."""
        if not heard:
            return [*(await self.ledger.claims.claim(kind, self._terms, after=0, batch=batch)).claims]
        dispatcher, before = self._dispatchers[kind], {claim.uuid for claim in self._held}
        permitted = dispatcher.permitted(self._db.now)
        if permitted != 0:
            await dispatcher.claim(batch, permitted)
        if permitted == 0 or dispatcher.idle:
            self._empty.add(kind)
        return [claim for claim in self._held if claim.uuid not in before]

    @property
    def _held(self) -> list[Claim]:
        return [*self.claims, *(claim for claims in self._senders.unsent.values() for claim in claims)]

    async def next_to_send(self) -> tuple[Claim, bool]:
        """Wait for the first slot, take its claim, and check it; whether its request leaves."""
        slot = min(claim.slot for claim in self.claims)
        if slot > self._db.now and not self.stopping:
            await self._db.pass_time(slot - self._db.now)
        claim = self._senders.take_due()
        assert claim is not None
        return claim, self._senders.check(claim, connected=True)

    async def hear(self, claim: Claim, reply: Wire | None, why: str = "") -> Settlement | None:
        """Receive a reply, or none: `why` says how the request ended, empty where it did not leave."""
        now, answer = self._db.now, cast("Answer", Unclear(why))
        if reply is not None:
            answer = decode(reply.status, reply.headers, reply.body, self._db.at)
        self.waiting.pop(claim.uuid, None)
        left = reply is not None or bool(why)
        exchange = Exchange(answer, now if left else None, None if reply is None else now)
        return await self._senders.receive(claim, exchange)

    async def write(self, fate: Fate = Fate.DONE) -> list[tuple[Settlement, SettledRow | None]]:
        """Write the next replies; returns each with its row, as far as statements ran."""
        self._settlements.decide(fate)
        if self._writing is None:
            self._writing = self._db.start(self._settler.write_once())
        waits = asyncio.create_task(self._settlements.waits.wait())
        await asyncio.wait({self._writing, waits}, return_when=asyncio.FIRST_COMPLETED)
        waits.cancel()
        if self._writing.done():
            self._writing.result()
            self._writing = None
        return self._settlements.results

    async def hand_back(self) -> list[Claim]:
        """Release claims that may not leave, and reserve new slots for late ones; returns the released claims."""
        released: list[Claim] = []
        for kind, dispatcher in self._dispatchers.items():
            self._senders.withdraw(kind, expired_only=not self.stopping)
            claims = self._senders.unsent[kind]
            await dispatcher.release()
            released += claims
            await dispatcher.reserve_late()
        self.released += (uuids := [claim.uuid for claim in released])
        still_ours = await self._db.released(uuids)
        return [claim for claim in released if claim.uuid in still_ours]

    async def keep(self) -> None:
        """Extend the leases of the claims whose replies are not written."""
        await self.ledger.claims.extend_leases(self._settler.unwritten)

    async def look(self) -> None:
        """Send the heartbeat, and obey the decisions of others."""
        await self._engine.watcher.watch_once()

    async def recover(self) -> int:
        """Expire the run's claims whose leases have ended; how many there were."""
        return await self._engine.expired.find()

    async def conclude(self) -> bool:
        """With nothing in hand: expire claims, and end the run; whether this has been it."""
        if self._engine.lifecycle.reason is DrainReason.OVERDUE:
            return await self._engine.finisher.close_overdue_once()
        return not self.stopping and await self._engine.finisher.finish_once(done=True)
