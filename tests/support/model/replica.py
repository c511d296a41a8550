"""A replica, one step at a time: what dispatcher, senders and desk do with claims, requests and replies, in which order.

Its ledger and its decisions are the real ones: when a request may leave, what an answer leads to, which rounds the
vendor's word allows to call. It has no loop: whoever drives it says what it does next, and forgets it
to let it crash. Only one thing is not to be come between: that a request leaves, once its lease has been looked at.
"""

from __future__ import annotations

import enum
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

import psycopg

from retention.core.model import Kind, NotConnected, Outcome, Treatment, Unclear
from retention.core.runs.pauses import pause_of_all, paused_partners
from retention.core.sending.database_errors import ErrorClass
from retention.core.sending.decision import decide, throttle_pause_s
from retention.core.sending.pacing import LateBudget
from retention.core.sending.partner_state import CALLABLE_STATES as CALLABLE
from retention.core.sending.reply_rules import DEFAULT_CODES, ReplyRules
from retention.core.sending.send_check import SendCheck, check_send
from retention.core.sending.settle_batch import NextWrite, SettleBatch, after_failure
from retention.core.sending.wire import decode
from retention.engine.asked_rounds import AskedRounds
from retention.engine.claims_in_hand import RECENT_S, ClaimsInHand
from retention.engine.lease_keeper import LeaseKeeper
from retention.ledger.claims import PartnerTerms, WorkLedger
from retention.ledger.database_errors import first_line
from retention.ledger.results import SettledRow
from support.model.house import PARTNER, START

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from structlog.typing import FilteringBoundLogger

    from retention.core.model import Answer, Claim, Settlement
    from retention.ledger.database import Database
    from support.model.house import House
    from support.model.vendor import Sent, Wire

CODES = {**DEFAULT_CODES, "60": Treatment.ALREADY_COMPLETED}


class Fate(enum.Enum):
    """What becomes of a statement whose answer a replica waits for."""

    DONE = "done"
    UNHEARD = "done, and the answer lost"
    LOST = "never begun"


@dataclass(slots=True)
class Unwritten:
    """A reply that waits to be written; `tried`: its settlement may have been written already, `again`: it was."""

    item: Settlement
    tried: bool = False
    again: bool = False


class _NoLog:
    """Where log lines go."""

    def warning(self, event: str, **values: object) -> None:
        """Drop it."""


class Replica:
    """One process at work on one run, by the house's connections or by those of a `database` of its own."""

    def __init__(
        self, number: int, house: House, terms: PartnerTerms, run_id: UUID, database: Database | None = None
    ) -> None:
        self.name = f"replica {number}"
        self.number = number
        self.run_id = run_id
        self.claims: list[Claim] = []
        self.unsent: list[Claim] = []
        self.late: list[Claim] = []
        self.waiting: dict[str, Sent] = {}
        self.unwritten: list[Unwritten] = []
        self.halted = self.closed = self.stopping = self.overdue = False
        self._throttled_until = 0.0
        self._after = 0
        self._quiet: set[Kind] = set()
        self._budget = LateBudget(terms.rate)
        self._house = house
        self._terms = terms
        self._treating = ReplyRules(CODES, terms.max_attempts, terms.status_probe, ask_first=terms.ask_first)
        self._told = AskedRounds(terms.rate)
        self.ledger = WorkLedger(database or house.database, run_id, self.name, None, lambda: house.now)
        self.released: list[str] = []
        """All attempts that it has handed back."""
        self.in_hand = ClaimsInHand()
        self._keeper = LeaseKeeper(self.ledger, self.in_hand, cast("FilteringBoundLogger", _NoLog()))
        self._recent: deque[tuple[float, Settlement]] = deque()

    @property
    def idle(self) -> bool:
        """Whether nothing is in its hands."""
        return not (self.claims or self.unsent or self.late or self.waiting or self.unwritten)

    @property
    def done(self) -> bool:
        """Whether it looks as if the run might be over, or it has nothing more to do than to go."""
        return self.idle and (self.stopping or self.halted or Kind.CANCEL in self._quiet)

    def idle_at(self, kind: Kind) -> bool:
        """Whether it found nothing to claim of that kind when it looked last."""
        return kind in self._quiet

    def wake(self) -> None:
        """Something has happened, so that there may be something to claim."""
        self._quiet.clear()

    @property
    def blocked(self) -> bool:
        """Whether nothing may leave just now."""
        return self.stopping or self.halted or self.closed or self._house.now < self._throttled_until

    async def claim(self, kind: Kind, batch: int, *, heard: bool = True) -> list[Claim]:
        """Claim, and have in hand what the answer brings, if it is `heard`; returns what was claimed."""
        told = None
        if kind is Kind.CANCEL and self._terms.ask_first and self._told.ready(self._house.now, all_asked=True):
            told = self._told.take(batch)
        claimed = await self.ledger.claim(kind, self._terms, after=self._after, batch=batch, ids=told)
        if not heard:
            return [*claimed.claims]
        self._after = max(self._after, claimed.last_id)
        self._quiet.discard(kind)
        if claimed.open and not claimed.claims and not claimed.dropped:
            self._after = 0
            self._quiet.add(kind)
        lost = [claim for claim in claimed.claims if self.in_hand.has_other(claim)]
        self.in_hand.doubted = self.in_hand.doubted or bool(lost)
        self.unsent += lost
        mine = [claim for claim in claimed.claims if claim not in lost]
        self.in_hand.add(mine)
        self.claims += mine
        return [*claimed.claims]

    async def check(self, claim: Claim) -> SendCheck:
        """Wait for the slot, and find out whether the request may leave."""
        self.claims.remove(claim)
        if claim.slot > self._house.now:
            await self._house.pass_time(claim.slot - self._house.now)
        check = check_send(claim, self._house.now, allowed=not self.blocked, connected=True, budget=self._budget)
        if check is not SendCheck.SEND:
            (self.late if check is SendCheck.NEW_SLOT else self.unsent).append(claim)
        return check

    async def hear(self, claim: Claim, reply: Wire | None, why: str = "") -> Settlement:
        """Take in a reply, or that there will be none: then `why` says how the request ended, empty for no connection."""
        now = self._house.at
        answer: Answer
        if reply is not None:
            answer = decode(reply.status, reply.headers, reply.body, now)
        else:
            answer = Unclear(why) if why else NotConnected("refused")
        self.waiting.pop(claim.uuid, None)
        connected = not isinstance(answer, NotConnected)
        item = decide(
            claim,
            answer,
            self._treating,
            sent_at=now if connected else None,
            replied_at=now if reply is not None else None,
            jitter=0.5,
        )
        if item.outcome is Outcome.UNAUTHORIZED:
            self.halted = True
        pause = throttle_pause_s(item, answer)
        if pause is not None:
            self._throttled_until = max(self._throttled_until, self._house.now + pause)
            await self.ledger.throttle(self._terms, pause)
        self.unwritten.append(Unwritten(item))
        return item

    async def write(self, fate: Fate = Fate.DONE) -> list[tuple[Settlement, SettledRow | None]]:
        """Write one batch of replies, no round twice in it; returns what became of each, as far as it was begun."""
        batch: dict[int, Unwritten] = {}
        for entry in self.unwritten:
            if entry.item.claim.cancellation_id in batch:
                break
            batch[entry.item.claim.cancellation_id] = entry
        again = any(entry.tried for entry in batch.values())
        self.closed = fate is not Fate.DONE
        for entry in batch.values():
            entry.tried = True
        if fate is Fate.LOST:
            return []
        items = [entry.item for entry in batch.values()]
        written = await self._settle(items, None, again=again)
        if fate is Fate.DONE and self._terms.ask_first:
            for item in [entry.item for entry in batch.values() if not entry.again]:
                called = item.outcome is Outcome.IN_PROGRESS and item.state in CALLABLE and item.claim.uuid in written
                if called and item.sent_at is not None:
                    self._told.add(item.claim.cancellation_id, (item.sent_at - START).total_seconds())
        if fate is Fate.DONE:
            self.unwritten = [entry for entry in self.unwritten if entry not in batch.values()]
            for item in items:
                self.in_hand.drop(item.claim)
                self._recent.append((self._house.now, item))
            if any(item.outcome is Outcome.UNAUTHORIZED for item in items):
                self.halted = True
                await self.ledger.halt_partner(PARTNER)
        return [(item, written.get(item.claim.uuid)) for item in items]

    async def _settle(self, items: list[Settlement], error: str | None, *, again: bool) -> dict[str, SettledRow]:
        work, written = [SettleBatch(items, error, again)], dict[str, SettledRow]()
        while work:
            batch = work.pop()
            try:
                settled = await self.ledger.settlements.settle(batch.items, batch.close_error, again=batch.again)
                written |= settled.written
                if settled.missing and (items := await self._put_on_record(batch, settled.missing)):
                    work.append(replace(batch, items=items))
            except psycopg.Error as raised:
                match after_failure(batch, ErrorClass.REFUSED, now=self._house.now, patience_s=0.0):
                    case NextWrite.HALVE:
                        work += batch.halves()
                    case NextWrite.WITHOUT_CLOSING:
                        work.append(replace(batch, close_error=f"close_rounds: {first_line(raised)}"))
                    case _:
                        raise
        return written

    async def _put_on_record(self, batch: SettleBatch, missing: Sequence[str]) -> list[Settlement]:
        """Put lost attempts on record again; the settlements that can be written then."""
        lost = [item for item in batch.items if item.claim.uuid in missing]
        found = await self.ledger.settlements.restore([item.claim for item in lost])
        self.in_hand.doubted = True
        rows = {item.claim.uuid: found.get(item.claim.uuid) for item in lost}
        return [
            item._replace(claim=item.claim._replace(cancellation_id=row))
            for item in lost
            if (row := rows[item.claim.uuid]) is not None
        ]

    async def hand_back(self) -> list[Claim]:
        """Hand back what is not to be sent, and get new slots for what missed its own; returns what was taken back."""
        unsent, self.unsent = self.unsent, []
        late, self.late = self.late, []
        if self.stopping:
            unsent, late = [*unsent, *late, *self.claims], []
            self.claims = []
        released = 0
        if unsent:
            released = await self.ledger.release(unsent)
            self.in_hand.remember_released(unsent, self._house.now)
            self.released += [claim.uuid for claim in unsent]
            for claim in unsent:
                if not self.in_hand.has_other(claim):
                    self.in_hand.drop(claim)
            self._told.put_back([claim.cancellation_id for claim in unsent if not claim.may_have_taken_effect])
            self._after = min([self._after, *(claim.cancellation_id - 1 for claim in unsent)])
        for kind in Kind:
            if missed := [claim for claim in late if claim.kind is kind]:
                kept = await self.ledger.reserve(kind, self._terms, missed)
                self.in_hand.add(kept)
                self.claims += kept
                ours = {claim.uuid for claim in kept}
                self.unsent += [claim for claim in missed if claim.uuid not in ours]
        return unsent if released == len(unsent) else []

    async def keep(self) -> None:
        """Let nobody take for lost what is about to be written."""
        await self.ledger.settlements.keep([entry.item.claim for entry in self.unwritten])

    @property
    def repairing(self) -> bool:
        """Whether it still writes again what it had written to a server that is gone."""
        return any(entry.again for entry in self.unwritten)

    @property
    def left(self) -> list[str]:
        """The attempts whose requests have left, and whose replies are not written."""
        return [*self.waiting, *(entry.item.claim.uuid for entry in self.unwritten if not entry.again)]

    async def recover(self) -> int:
        """Find the run's claims whose leases have run out; how many there were."""
        return len(await self.ledger.recover(self._terms, [self.run_id], but=self.in_hand.uuids))

    async def look(self) -> None:
        """Look what others have decided about the run, and obey."""
        sight = await self.ledger.watch([PARTNER])
        if await self._keeper.keep(sight.server_started, self._house.now):
            since = self._house.now - RECENT_S
            self.unwritten += [Unwritten(item, tried=True, again=True) for at, item in self._recent if at > since]
            self._recent.clear()
        self.halted = self.halted or PARTNER in sight.halted_partners
        if PARTNER in sight.throttled:
            self._throttled_until = max(self._throttled_until, self._house.now + 0.8)
        partners = [self._terms.partner]
        paused = pause_of_all(paused_partners(sight.pauses, partners), partners)
        if sight.status == "running" and paused:
            await self.ledger.halt(paused, paused_for=partners)
        self.overdue = self.overdue or sight.overdue
        self.stopping = self.stopping or sight.status != "running" or paused is not None or sight.overdue

    async def conclude(self) -> bool:
        """With nothing in hand: find what dead processes left, and the end of the run; whether this has been it."""
        if self.overdue:
            await self.recover()
            await self.ledger.give_up(None, "the deadline came first")
            return await self.ledger.finish("finished", None)
        if self.stopping or await self.recover():
            return False
        if self.halted:
            return await self.ledger.finish("halted", "unauthorized: acme refused our credentials")
        return await self.ledger.finish("finished", None)


def terms(*, status_probe: bool, ask_first: bool = False, timeout: float = 10.0, max_attempts: int = 3) -> PartnerTerms:
    """One partner's terms, quick enough that slots hardly matter; `timeout` in seconds."""
    return PartnerTerms(PARTNER, 1000.0, timeout, max_attempts, status_probe, ask_first and status_probe)
