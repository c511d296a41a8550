"""One partner as the engine sees it: whether it may be called just now, and how to."""

from __future__ import annotations

import asyncio
import math
import random
import time
import uuid
from typing import TYPE_CHECKING

from retention.core.model import Kind, Outcome, Reply, State
from retention.core.sending import wire
from retention.core.sending.ask_first import wrong_status_address
from retention.core.sending.circuit_breaker import CircuitBreaker
from retention.core.sending.transitions import classify, settle
from retention.core.sending.wire import SUCCESS
from retention.engine.asked_rounds import AskedRounds
from retention.vendor_api.credentials import Access, CredentialWatch
from retention.vendor_api.reply_cleaner import ReplyCleaner

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from retention.core.model import Answer, Claim, Settlement
    from retention.core.sending.in_flight import InFlightLimit
    from retention.core.sending.reply_rules import ReplyRules
    from retention.ledger.claims import PartnerTerms
    from retention.vendor_api.client import Exchange, VendorClient
    from retention.vendor_api.connection import Connection

CALLABLE = frozenset({State.PLANNED, State.RETRYING})

KNOWN_S = 60.0
"""Seconds for which a HealthCheck's word is good that the vendor knows us."""


class Partner:
    """One partner's terms, client, and standing in this run."""

    def __init__(
        self,
        terms: PartnerTerms,
        rules: ReplyRules,
        client: VendorClient,
        *,
        concurrency: int,
        send_game_id: bool,
        access: Callable[[], Access],
        changed_at: Callable[[], float] = lambda: -math.inf,
        redact: Callable[[str], str],
        is_echo: Callable[[str], bool],
    ) -> None:
        self.terms = terms
        self.rules = rules
        self.concurrency = concurrency
        self.reach = {kind: CircuitBreaker(rules.max_attempts) for kind in Kind}
        self.told = AskedRounds(terms.rate)
        self.halted = False
        self.paused = False
        self.believes_clock: Callable[[], bool] = lambda: True
        self.unrecorded = 0  # pauses that the vendor asked for and the ledger does not know yet
        self._recorded_at = 0.0
        self._throttled_until = 0.0
        self._answers = False  # whether a question has been answered as the vendor answers it
        self._client = client
        self._send_game_id = send_game_id
        self._credentials = CredentialWatch(access, changed_at)
        self._cleaner = ReplyCleaner(redact, is_echo, self._own_secrets)
        self._opening: dict[Kind, set[asyncio.Task[None]]] = {kind: set() for kind in Kind}
        self._checking: asyncio.Task[bool] | None = None
        self._known_until = 0.0
        self._known_since = -math.inf  # since when the credentials are used that the vendor knew

    @property
    def name(self) -> str:
        """The partner's name in the configuration."""
        return self.terms.partner

    def blocked(self, kind: Kind, now: float) -> bool:
        """Whether no request of this kind may leave for it just now."""
        checking = self._checking is not None and not self._checking.done()
        waiting = now < self._throttled_until or now < self.reach[kind].until
        doubted = self._credentials.waiting > 0
        return self.stopped or checking or doubted or waiting or not self.believes_clock()

    @property
    def stopped(self) -> bool:
        """Whether it is not called until a person has decided something."""
        return self.halted or self.paused

    @property
    def callable_states(self) -> frozenset[State]:
        """The states in which a round may be called because the vendor has just said that it is in progress."""
        return CALLABLE if self.rules.ask_first else frozenset()

    def throttle(self, until: float) -> None:
        """Send nothing before a moment of the monotonic clock."""
        self._throttled_until = max(self._throttled_until, until)

    def recorded(self) -> None:
        """The ledger knows of one more pause, and is where it ends."""
        self.unrecorded -= 1
        self._recorded_at = time.monotonic()

    def not_throttled(self, asked: float) -> None:
        """The ledger, asked at that moment, has no pause: none, or somebody has ended it."""
        if not self.unrecorded and self._recorded_at < asked:
            self._throttled_until = 0.0

    @property
    def lost_kinds(self) -> list[Kind]:
        """The requests without which nothing is cancelled, and whose address could not be reached."""
        needed = [*Kind] if self.rules.ask_first else [Kind.CANCEL]
        return [kind for kind in needed if self.reach[kind].lost]

    @property
    def questions_lost(self) -> bool:
        """Whether doubts cannot be asked about, while cancels can be sent without."""
        return self.rules.status_probe and not self.rules.ask_first and self.reach[Kind.STATUS].lost

    @property
    def never_reached(self) -> bool:
        """Whether it was tried to connect to it, and it never worked."""
        return any(one.failed for one in self.reach.values()) and not any(one.reached for one in self.reach.values())

    @property
    def why_not_reached(self) -> str:
        """What kept the last connections from being made, in words."""
        return "; ".join(dict.fromkeys(one.why for one in self.reach.values() if one.why))

    def open_connections(self, kind: Kind, wanted: int, places: InFlightLimit, *, unconnected: int = 0) -> None:
        """See to it that as many connections are in hand, or being made, as requests could use now.

        `unconnected` places are taken by requests that have no connection yet.
        """
        opening = self._opening[kind]
        for task in [task for task in opening if task.done()]:
            opening.discard(task)
            task.result()  # raises what no network can do
        free = max(1, self.concurrency - places.in_flight.total() + unconnected)
        # One that could not be reached just now is tried with one connection.
        most = 1 if self.reach[kind].streak else min(wanted, free)
        for _ in range(most - len(opening) - self.connections(kind)):
            opening.add(asyncio.create_task(self._open(kind)))

    def uses_connections_once(self, kind: Kind) -> bool:
        """Whether the vendor ends each connection after its reply: then each request needs a new one."""
        return self._client.are_used_once(self._url(kind))

    def connections(self, kind: Kind) -> int:
        """How many connections are in hand."""
        return self._client.in_hand(self._url(kind))

    def connection(self, kind: Kind) -> Connection | None:
        """Take a connection that is in hand."""
        return self._client.take(self._url(kind))

    def keep(self, kind: Kind, connection: Connection) -> None:
        """Put a connection back in hand that was not used."""
        self._client.give_back(self._url(kind), connection)

    async def close(self) -> None:
        """Make no more connections."""
        tasks = [task for opening in self._opening.values() for task in opening]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def call(self, claim: Claim, connection: Connection) -> Exchange:
        """Send a claim's request over a connection, while its look is young."""
        access = self._credentials.access()
        if claim.kind is Kind.CANCEL:
            url = access.cancel_url
            body = wire.encode_cancel(claim, access.credentials, send_game_id=self._send_game_id)
        else:
            url, body = access.status_url, wire.encode_status(claim, access.credentials)
        return await self._client.exchange(connection, url, body, until=claim.leave_by)

    def refuses_us(self, claim: Claim, answer: Answer) -> bool:
        """Whether an answer says that our credentials are refused."""
        return classify(claim.kind, answer, self.rules.codes) is Outcome.UNAUTHORIZED

    async def judge_refusal(self, answer: Answer, sent_at: float, *, stopped: Callable[[], bool]) -> bool:
        """Whether the vendor knows us all the same, so that its refusal is about one round; halted where it does not.

        Neither is so where the credentials were not, or may soon not be, the configured ones: the round is sent again.
        """
        if self.halted or not await self._credentials.stand(sent_at, stopped, self._check_health):
            return False
        if isinstance(answer, Reply) and answer.http_status not in SUCCESS:
            self.halted = True
            return False
        return await self.knows_us(may_ask=not stopped())

    @property
    def secret_changes(self) -> bool:
        """Whether the file of a secret has changed just now."""
        return self._credentials.changing

    async def knows_us(self, *, may_ask: bool) -> bool:
        """Whether the vendor knows us, by a HealthCheck of the last minute; halted where it does not.

        While one is under way nothing is sent. Without `may_ask`, and nothing known, the partner is not halted either.
        """
        self._credentials.access()
        since = self._credentials.since
        if (time.monotonic() >= self._known_until or self._known_since != since) and not self.halted:
            if self._checking is None or self._checking.done():
                if not may_ask:
                    return False
                self._checking = asyncio.create_task(self._check_health())
            if await asyncio.shield(self._checking):
                self._known_until, self._known_since = time.monotonic() + KNOWN_S, since
            else:
                self._credentials.access()
                if self._credentials.since != since:
                    return False  # refused were the old ones
                self.halted = True
        return not self.halted

    def wrong_status_address(self, claim: Claim, answer: Answer) -> str | None:
        """What shows that questions go to a wrong address, if none has been answered yet and this answer shows it."""
        if not claim.asks_first or self._answers:
            return None
        self._answers = isinstance(answer, Reply) and answer.code is not None
        return wrong_status_address(answer)

    def settle(
        self,
        claim: Claim,
        answer: Answer,
        *,
        sent_at: datetime | None,
        replied_at: datetime | None,
        known: bool = False,
        wrong_address: bool = False,
    ) -> Settlement:
        """What an answer changes in the ledger. No secret that the vendor echoes gets there."""
        cleaned = self._cleaner.before(answer)
        item = settle(
            claim,
            cleaned.answer,
            self.rules,
            sent_at=sent_at,
            replied_at=replied_at,
            fraction=random.random(),  # noqa: S311 - spreads retries, guards nothing
            known=known,
            wrong_address=wrong_address,
        )
        return self._cleaner.after(item, cleaned)

    def _url(self, kind: Kind) -> str:
        access = self._credentials.access()
        return access.cancel_url if kind is Kind.CANCEL else access.status_url

    async def _open(self, kind: Kind) -> None:
        failed = await self._client.connect(self._url(kind))
        reach = self.reach[kind]
        if failed is None:
            reach.connected()
        else:
            reach.not_connected(time.monotonic(), random.random(), failed.why)  # noqa: S311 - spreads pauses, guards nothing

    async def _check_health(self) -> bool:
        access = self._credentials.access()
        exchange = await self._client.post(access.health_url, wire.encode_health(access.credentials, str(uuid.uuid4())))
        return isinstance(exchange.answer, Reply) and exchange.answer.code == "0"

    def _own_secrets(self) -> tuple[str, ...]:
        access = self._credentials.access()
        return (
            access.credentials.token,
            access.credentials.secure_login,
            *(access.cancel_url, access.status_url, access.health_url),
        )
