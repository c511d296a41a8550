"""Questions to one partner outside of a run: the status of each round, asked by itself.

Questions go out in slots that all replicas share, like those of runs. The attempt of each is committed before its
request leaves. No cancel request is ever made here.
"""

from __future__ import annotations

import asyncio
import math
import time
import uuid
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from retention.core.evidence.reconciliation import VendorSide
from retention.core.model import Claim, Kind, Outcome, Reply, Settlement, State
from retention.core.sending.backoff import full_jitter
from retention.core.sending.decision import throttle_pause_s
from retention.core.sending.pacing import LateBudget, batch_size
from retention.core.sending.partner_state import PartnerHalt
from retention.exit_codes import ExitCode

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from structlog.typing import FilteringBoundLogger

    from retention.core.model import Answer
    from retention.engine.run_partner import RunPartner
    from retention.ledger.reconciliation import Reconciliations, Reservation, SettledRound
    from retention.vendor_api.client import Exchange

POLL_S = 0.02
"""Seconds between looks for slots, connections and answers."""

PAUSE_POLL_S = 0.3
"""Seconds between looks at the pauses of a partner that may not be called."""

SLOT_EARLY_S = 0.0005
"""Seconds by which a slot may be used early: the event loop's timers are coarse."""

SEND_WITHIN_S = 1.0
"""Seconds after its slot within which a question must have left."""

_TELLS = frozenset({Outcome.CANCELLED, Outcome.ALREADY_COMPLETED, Outcome.IN_PROGRESS})


@dataclass(frozen=True, slots=True)
class Lost:
    """Why a partner is not asked any more, and the exit code for that."""

    why: str
    code: ExitCode


@dataclass(slots=True)
class _Question:
    round: SettledRound
    tries: int = 0
    due_at: float = 0.0


class PartnerQuestions:
    """Asks one partner. `lost` is set once it cannot be asked any more; then no further request leaves.

    `unreached` counts the rounds for which no answer came, after as many tries as a round has attempts. `jitter`
    returns random numbers from 0 to 1.
    """

    def __init__(
        self, partner: RunPartner, ledger: Reconciliations, log: FilteringBoundLogger, jitter: Callable[[], float]
    ) -> None:
        self.partner = partner
        self.lost: Lost | None = None
        self.unreached = 0
        self._ledger = ledger
        self._jitter = jitter
        self._log = log.bind(partner=partner.name)
        self._budget = LateBudget(partner.terms.late_rate_of(Kind.STATUS))
        self._waiting: deque[_Question] = deque()
        self._later: list[_Question] = []
        self._unsent = 0
        self._waits = False  # a pause of the vendor's is told already
        self._answers: list[Settlement] = []
        self._told: dict[int, VendorSide] = {}
        self._clock_offset_s = 0.0

    async def ask_each(self, rounds: Sequence[SettledRound]) -> dict[int, VendorSide]:
        """Ask about each round by itself; returns the answers by cancellation, fewer of them once `lost` is set."""
        self._waiting, self._later, self._told = deque(map(_Question, rounds)), [], {}
        asking: set[asyncio.Task[None]] = set()
        try:
            while (self._waiting or self._later or asking) and self.lost is None:
                self._take_due()
                if not await self._start(asking):
                    await asyncio.sleep(POLL_S)
                for task in [task for task in asking if task.done()]:
                    asking.discard(task)
                    task.result()
                await self._record_answers()
            await asyncio.gather(*asking)  # a request in flight gets its reply
        finally:
            for task in asking:
                task.cancel()
            with suppress(asyncio.CancelledError):
                await asyncio.gather(*asking, return_exceptions=True)
        await self._record_answers()
        return self._told

    async def next_slots(self, wanted: int, rounds: Sequence[tuple[str, SettledRound]] = ()) -> Reservation | None:
        """Wait for slots, through pauses of the vendor's; None once the partner is lost."""
        while not self._is_lost():
            allowed = self.partner.state.may_call(Kind.STATUS, time.monotonic())
            queried = time.monotonic()
            found = await self._ledger.reserve_questions(
                self.partner.terms, wanted if allowed else 0, rounds if allowed else ()
            )
            if found.paused_by is not None:
                self.lost = Lost(f"paused by {found.paused_by}", ExitCode.HALTED)
                return None
            self.partner.state.obey_ledger_throttle(
                throttled=found.by_vendor, queried_s=queried, until_s=time.monotonic() + 2 * PAUSE_POLL_S
            )
            if found.slots:
                self._clock_offset_s, self._waits = found.clock_offset_s, False
                return found
            if found.by_vendor and not self._waits:
                self._waits = True
                self._log.warning(
                    "reconcile.waiting", detail="the vendor asked for a pause; `retention resume` ends it"
                )
            await asyncio.sleep(POLL_S if allowed and not found.by_vendor else PAUSE_POLL_S)
        return None

    async def throttle(self, pause: float) -> None:
        """Obey a vendor that asks for a pause, in all replicas."""
        state = self.partner.state
        state.throttle(time.monotonic() + pause)
        self._log.warning("partner.throttled", pause_s=round(pause, 3))
        group, rate = self.partner.terms.group, await self._ledger.throttle_partner(self.partner.terms, pause)
        if group is not None and rate is not None:
            self._log.warning("rate_group.throttled", rate_group=group.name, rate=round(rate, 3))
        state.throttle_recorded(time.monotonic())

    async def is_accepted(self, answer: Answer, sent_at: float) -> bool:
        """Judge a refusal of our credentials: whether a HealthCheck accepts them. `lost` is set where they are not."""
        accepted = await self.partner.gateway.judge_refusal(answer, sent_at, stopped=lambda: self.lost is not None)
        self._is_lost()
        return accepted

    def back_off_s(self, tries: int) -> float | None:
        """Seconds until the next try of a question; None where no try is left."""
        return full_jitter(tries, self._jitter()) if tries < self.partner.terms.max_attempts else None

    def _is_lost(self) -> bool:
        """Whether the partner cannot be asked any more; finds out why."""
        state = self.partner.state
        if self.lost is None and state.is_halted_for(PartnerHalt.UNAUTHORIZED):
            self._log.error("partner.unauthorized")
            self.lost = Lost(PartnerHalt.UNAUTHORIZED.value, ExitCode.UNREACHABLE)
        elif self.lost is None and Kind.STATUS in state.lost_kinds:
            self.lost = Lost(state.why_not_reached, ExitCode.UNREACHABLE)
        return self.lost is not None

    async def _start(self, asking: set[asyncio.Task[None]]) -> bool:
        """Start the next questions, as many as have connections and slots; returns whether any was started."""
        gateway, state = self.partner.gateway, self.partner.state
        free = gateway.concurrency - len(asking)
        most = min(len(self._waiting), batch_size(self.partner.terms.rate_of(Kind.STATUS), free) if free > 0 else 0)
        if most and state.may_call(Kind.STATUS, time.monotonic()):
            gateway.open_connections(Kind.STATUS, most + self._unsent, len(asking) - self._unsent)
        most = min(most, gateway.connections(Kind.STATUS) - self._unsent)
        if most <= 0:
            return self._is_lost()
        chosen = [self._waiting.popleft() for _ in range(most)]
        uuids = [str(uuid.uuid4()) for _ in chosen]
        found = await self.next_slots(most, [(one, q.round) for one, q in zip(uuids, chosen, strict=True)])
        slots = found.slots if found else ()
        self._waiting.extendleft(reversed(chosen[len(slots) :]))
        for question, one, slot in zip(chosen, uuids, slots, strict=False):
            self._unsent += 1
            asking.add(asyncio.create_task(self._ask(question, one, slot)))
        return bool(slots)

    async def _ask(self, question: _Question, one: str, slot: float) -> None:
        claim = self._claim(question.round, one, slot)
        gateway = self.partner.gateway
        try:
            await asyncio.sleep(max(0.0, slot - SLOT_EARLY_S - time.monotonic()))
        finally:
            self._unsent -= 1
        connection, now = gateway.take_connection(Kind.STATUS), time.monotonic()
        allowed = self.lost is None and self.partner.state.may_call(Kind.STATUS, now)
        exchange = None
        if connection is not None and allowed and self._budget.allows(slot, now):
            exchange = await gateway.call(claim, connection)
        elif connection is not None:
            gateway.return_connection(Kind.STATUS, connection)
        if exchange is None or exchange.sent_at is None:  # it has not left, and keeps its turn
            self._answers.append(Settlement(claim, Outcome.RELEASED, State.PLANNED, None, None))
            self._waiting.appendleft(question)
            return
        await self._heed(question, claim, exchange, exchange.sent_at)

    async def _heed(self, question: _Question, claim: Claim, exchange: Exchange, sent_at: float) -> None:
        """Take the answer to a question, or have it asked again."""
        gateway, answer = self.partner.gateway, exchange.answer
        accepted = gateway.refuses_us(claim, answer) and await self.is_accepted(answer, sent_at)
        sign = gateway.wrong_status_address(claim, answer)
        item = gateway.interpret(
            claim,
            answer,
            sent_at=self._at(sent_at),
            replied_at=self._at(exchange.replied_at),
            credentials_accepted=accepted,
            wrong_address=sign is not None,
        )
        self._answers.append(item)
        self._log.debug(
            "question.answered", round_id=claim.round_id, uuid=claim.uuid, outcome=item.outcome, detail=item.detail
        )
        if sign is not None:
            self.lost = Lost(f"status_url does not answer questions: {sign}", ExitCode.UNREACHABLE)
        elif (pause := throttle_pause_s(item, answer)) is not None:
            await self.throttle(pause)
            self._waiting.append(question)
        elif item.outcome is Outcome.UNAUTHORIZED:
            self._waiting.append(question)  # with the credentials that are configured by then
        elif item.outcome in _TELLS and isinstance(answer, Reply):
            self._told[claim.cancellation_id] = VendorSide(item.outcome, str(answer.round_status))
        else:
            self._ask_again(question, item, later=not accepted and gateway.may_answer_later(answer))

    def _ask_again(self, question: _Question, item: Settlement, *, later: bool) -> None:
        question.tries += 1
        wait = self.back_off_s(question.tries) if later else None
        if wait is None:
            self.unreached += later
            self._told[question.round.id] = VendorSide(None, f"no answer: {item.detail or item.description}")
            return
        question.due_at = time.monotonic() + wait
        self._later.append(question)

    def _take_due(self) -> None:
        now = time.monotonic()
        self._waiting.extend(one for one in self._later if one.due_at <= now)
        self._later = [one for one in self._later if one.due_at > now]

    async def _record_answers(self) -> None:
        answers, self._answers = self._answers, []
        await self._ledger.record_answers(answers)

    def _claim(self, one: SettledRound, request_id: str, slot: float) -> Claim:
        return Claim(
            cancellation_id=one.id,
            run_id=str(one.run_id),
            uuid=request_id,
            kind=Kind.STATUS,
            partner=one.partner,
            market=one.market,
            game_id=None,
            user_id=one.user_id,
            round_id=one.round_id,
            attempts=0,
            probes=0,
            may_have_taken_effect=False,
            refusal_pending_probe=False,
            claimed_at=slot,
            slot=slot,
            send_by=slot + SEND_WITHIN_S,
            lease_until=math.inf,
        )

    def _at(self, moment: float | None) -> datetime | None:
        """A moment of the monotonic clock as the database's clock shows it."""
        return None if moment is None else datetime.fromtimestamp(moment + self._clock_offset_s, UTC)
