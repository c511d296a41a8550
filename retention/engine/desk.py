"""Settle: replies are collected, written in batches, and only then told to anybody."""

from __future__ import annotations

import asyncio
import math
import time
from typing import TYPE_CHECKING

import psycopg

from retention.core.model import LIVE_STATES, Outcome
from retention.core.rails import check_replies
from retention.engine.persist import persist
from retention.engine.told import is_left, told
from retention.ledger.database import NoAnswerError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from structlog.typing import FilteringBoundLogger

    from retention.core.model import Claim, Settlement
    from retention.engine.partner import Partner
    from retention.engine.stats import Stats
    from retention.ledger.answers import Dropped, GivenUp, Written
    from retention.ledger.work import WorkLedger

Answered = tuple["Partner", "Settlement", float, float]
"""A reply, from whom, how many seconds it took, and when on the monotonic clock its request left."""

UNWRITTEN = 450
"""Replies that may wait; beyond it the senders wait with theirs."""

BATCH = 500
"""Replies written at once, at the most."""

BREATH = 50
"""Replies told of in one go."""

ENOUGH = 200
"""Replies that are written without waiting for more."""

LINGER = 0.03
"""Seconds for which fewer may gather."""

BEHIND = 1.0
"""Seconds after which what is being written counts as held up."""

TRIES = 3
"""For a statement that the server gives up, where it may be the operator's function that makes it."""


class Desk:
    """Where replies come in. `closed` while the database is away: nothing more is sent that could not be written."""

    def __init__(
        self,
        ledger: WorkLedger,
        stats: Stats,
        log: FilteringBoundLogger,
        *,
        max_failure_ratio: float,
        passed: Sequence[str],
        log_user_ids: bool,
    ) -> None:
        self.closed = False
        self.log = log
        self._ledger = ledger
        self._stats = stats
        self._max_failure_ratio = max_failure_ratio
        self._passed = passed
        self._log_user_ids = log_user_ids
        self._inbox: list[Answered] = []
        self._came = asyncio.Event()
        self._room = asyncio.Event()
        self._last = False
        self._told_to_die = asyncio.Event()
        self._unwritten: dict[str, Claim] = {}
        self._expected: dict[str, Claim] = {}
        self._writing_since: float | None = None
        self._halted = False

    @property
    def empty(self) -> bool:
        """Whether every reply that came in is written."""
        return not self._unwritten

    @property
    def held_up(self) -> Sequence[Claim]:
        """What the replies are about that cannot be written just now."""
        slow = self._writing_since is not None and time.monotonic() - self._writing_since > BEHIND
        return [*self._expected.values(), *(self._unwritten.values() if self.closed or slow else ())]

    def expect(self, claim: Claim) -> None:
        """This claim's reply is here, and waits for another answer before it can be written."""
        self._expected[claim.uuid] = claim

    def take(self, reply: Answered) -> bool:
        """Take a reply in, unless too many are unwritten."""
        claim = reply[1].claim
        self._expected.pop(claim.uuid, None)
        self._unwritten[claim.uuid] = claim
        if len(self._inbox) >= UNWRITTEN:
            return False
        self._inbox.append(reply)
        self._came.set()
        return True

    async def put(self, reply: Answered) -> None:
        """Hand a reply over; waits while too many are unwritten."""
        while not self.take(reply):
            self._room.clear()
            await self._room.wait()

    def close(self) -> None:
        """No more replies come; `run` ends when the last one is written."""
        self._last = True
        self._came.set()

    def die(self) -> None:
        """Give up writing; what is unwritten stays claimed, and becomes a doubt."""
        self._told_to_die.set()

    async def run(self) -> None:
        """Write replies until closed."""
        while self._inbox or not self._last:
            if not self._inbox:
                self._came.clear()
                await self._came.wait()
                continue
            if len(self._inbox) < ENOUGH and not self._last:
                await asyncio.sleep(LINGER)
            batch, self._inbox = self._inbox[:BATCH], self._inbox[BATCH:]
            self._room.set()
            self._writing_since = time.monotonic()
            for part in _one_per_round(batch):
                await self._write(part)
            self._writing_since = None
            for _, item, _, _ in batch:
                self._unwritten.pop(item.claim.uuid, None)

    async def _write(self, batch: Sequence[Answered]) -> None:
        written = await self._settle([item for _, item, _, _ in batch])
        if written is None:
            return
        for nth, (partner, item, latency, sent_at) in enumerate(batch):
            if nth % BREATH == BREATH - 1:
                await asyncio.sleep(0)  # others have slots to keep
            done = written.get(item.claim.uuid)
            self._tell(item, latency, done)
            if done is not None and item.outcome is Outcome.IN_PROGRESS and item.state in partner.callable_states:
                partner.told.add(item.claim.cancellation_id, sent_at)
            if item.outcome is Outcome.UNAUTHORIZED and partner.halted:
                await self._halt_partner(partner)

    async def _settle(
        self,
        items: Sequence[Settlement],
        close_error: str | None = None,
        *,
        halved: bool = False,
    ) -> dict[str, Written] | None:
        """Write, halving a batch whose rounds the operator's function refuses until the one it refuses stands alone."""
        patience = math.inf if close_error is not None else 1 if halved and len(items) > 1 else TRIES
        tried = False

        async def settle() -> tuple[dict[str, Written], str | None]:
            nonlocal tried
            again, tried = tried, True
            return await self._ledger.settle(items, close_error, again=again)

        try:
            result = await persist(
                settle,
                until=self._told_to_die,
                on_away=self._away,
                tries=patience,
            )
        except psycopg.Error as error:
            if close_error is not None:
                raise
            if len(items) == 1:
                return await self._settle(items, f"close_rounds: {_message(error)}")
            half = len(items) // 2
            first = await self._settle(items[:half], halved=True)
            second = await self._settle(items[half:], halved=True)
            return None if first is None or second is None else first | second
        if self.closed and result is not None:
            self.closed = False
            self.log.info("database.back")
        if result is None:
            return None
        written, recent = result
        if recent is not None:
            await self._check(recent)
        return written

    def _away(self, error: Exception) -> None:
        if not self.closed:
            self.closed = True
            self.log.warning("database.away", problem=type(error).__name__)

    def note_silence(self, error: Exception) -> None:
        """Say that the database has not answered, where nothing else would show it."""
        if isinstance(error, NoAnswerError):
            self.log.warning("database.away", problem=str(error))

    async def _check(self, recent: str) -> None:
        tripped = check_replies(recent, self._max_failure_ratio, self._passed)
        if tripped is not None and not self._halted:
            halted = await persist(lambda: self._ledger.halt(str(tripped)), until=self._told_to_die)
            self._halted = halted is not None

    async def _halt_partner(self, partner: Partner) -> None:
        if await persist(lambda: self._ledger.halt_partner(partner.name), until=self._told_to_die):
            self.log.error("partner.unauthorized", partner=partner.name)

    async def halt_wrong_status_address(self, partner: Partner, sign: str) -> None:
        """Halt the run before its first cancel: questions do not get to the vendor."""
        partner.halted = True
        reason = (
            f"status_url: the status address of partner {partner.name} does not answer questions ({sign}), and with"
            " ask_first nothing is cancelled without asking; mend status_url, or set ask_first = false"
        )
        await persist(lambda: self._ledger.halt(reason), until=self._told_to_die)

    async def note_throttled(self, partner: Partner, pause: float) -> None:
        """Let every replica know that the partner wants to be left alone for so many seconds."""
        self.log.warning("partner.throttled", partner=partner.name, pause_s=round(pause, 3))
        await persist(lambda: self._ledger.throttle(partner.terms, pause), until=self._told_to_die)

    def note_wait(self, partner: Partner, seconds: float) -> None:
        """Count what a request waited for its slot."""
        self._stats.tally.waited[partner.name] += round(seconds * 1000)

    def note_given_up(self, given_up: Sequence[GivenUp]) -> None:
        """Count rounds that nothing more is sent for."""
        for group in given_up:
            self._stats.ended(group.partner, group.market, group.state, group.rounds)

    def note_dropped(self, dropped: Dropped) -> None:
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

    def _tell(self, item: Settlement, latency: float, written: Written | None) -> None:
        claim = item.claim
        self._stats.tally.requests[claim.partner].note(latency)
        if written is not None and (item.state not in LIVE_STATES or is_left(item)):
            self._stats.ended(claim.partner, claim.market, item.state)
            self._stats.refund(claim.partner, item.currency, item.amount)
        event, level, values = told(item, latency, written, with_user=self._log_user_ids)
        getattr(self.log, level)(event, **values)


def _one_per_round(batch: Sequence[Answered]) -> list[list[Answered]]:
    """Split where a round comes twice (a late reply beside its successor's): one statement changes a row once."""
    parts: list[dict[int, Answered]] = [{}]
    for entry in batch:
        key = entry[1].claim.cancellation_id
        if key in parts[-1]:
            parts.append({})
        parts[-1][key] = entry
    return [list(part.values()) for part in parts]


def _message(error: psycopg.Error) -> str:
    return (error.diag.message_primary or str(error) or type(error).__name__)[:500]
