"""The way to one partner's API: connections, requests out, replies in, and the meaning of each reply.

A refusal of our credentials is judged before anything else is sent. The file of a secret may be changing, and a code
that refuses one round may look like a refusal of us; a HealthCheck tells them apart.
"""

from __future__ import annotations

import asyncio
import math
import random
import time
import uuid
from typing import TYPE_CHECKING

from retention.core.model import Kind, Outcome, Reply, Treatment
from retention.core.sending import wire
from retention.core.sending.decision import decide
from retention.core.sending.game_rounds import PAGE_LIMIT_BYTES, encode_rounds, read_page
from retention.core.sending.outcomes import classify, wrong_status_address
from retention.core.sending.partner_state import PartnerHalt
from retention.core.sending.wire import SUCCESS
from retention.vendor_api.credentials import Access, CredentialWatch
from retention.vendor_api.reply_cleaner import ReplyCleaner

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from retention.core.model import Answer, Claim, Settlement
    from retention.core.sending.game_rounds import RoundsPage, Window
    from retention.core.sending.partner_state import PartnerState
    from retention.core.sending.reply_rules import ReplyRules
    from retention.vendor_api.client import Exchange, VendorClient
    from retention.vendor_api.connection import Connection

HEALTH_GOOD_S = 60.0
"""Seconds for which a HealthCheck's answer shows that the vendor accepts our credentials."""


class VendorGateway:
    """Calls one partner, and turns its replies into settlements. Reports to `state` whether the partner can be called.

    `concurrency` is the number of requests that may be in flight. `access` reads addresses and credentials anew for
    each call; `changed_at` is when the file of a secret changed last, in seconds on the monotonic clock. `redact` masks
    secrets in text, `is_echo` finds identifiers that repeat one. `jitter` returns random numbers from 0 to 1.
    """

    def __init__(
        self,
        client: VendorClient,
        rules: ReplyRules,
        state: PartnerState,
        *,
        concurrency: int,
        send_game_id: bool,
        access: Callable[[], Access],
        changed_at: Callable[[], float] = lambda: -math.inf,
        redact: Callable[[str], str],
        is_echo: Callable[[str], bool],
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.concurrency = concurrency
        self._client = client
        self._rules = rules
        self._state = state
        self._send_game_id = send_game_id
        self._credentials = CredentialWatch(state, access, changed_at)
        self._cleaner = ReplyCleaner(redact, is_echo, self._own_secrets)
        self._jitter = jitter
        self._opening: dict[Kind, set[asyncio.Task[None]]] = {kind: set() for kind in Kind}
        self._health_check: asyncio.Task[bool] | None = None
        self._healthy_until_s = 0.0
        self._healthy_since_s = -math.inf  # since when the credentials are used that the HealthCheck accepted
        self._probes_answered = False

    # Connections: made before a claim, so that a claim's request can leave at once.

    def open_connections(self, kind: Kind, wanted: int, in_flight: int) -> None:
        """Make connections until as many are at hand, or being made, as requests could use now.

        `in_flight` requests occupy the other places.
        """
        opening = self._opening[kind]
        for task in [task for task in opening if task.done()]:
            opening.discard(task)
            task.result()  # raises an error that is no network's
        most = 1 if self._state.is_half_open(kind) else min(wanted, max(1, self.concurrency - in_flight))
        for _ in range(most - len(opening) - self.connections(kind)):
            opening.add(asyncio.create_task(self._open(kind)))

    def uses_connections_once(self, kind: Kind) -> bool:
        """Whether the vendor ends each connection after its reply, so that each request needs a new one."""
        return self._client.are_used_once(self._url(kind))

    def connections(self, kind: Kind) -> int:
        """How many connections are at hand."""
        return self._client.in_hand(self._url(kind))

    def take_connection(self, kind: Kind) -> Connection | None:
        """Take a connection that is at hand, for a call at once: the call has the credentials that are read here."""
        self._credentials.access()
        return self._client.take(self._url(kind))

    def return_connection(self, kind: Kind, connection: Connection) -> None:
        """Return a connection over which nothing was sent."""
        self._client.give_back(self._url(kind), connection)

    async def close(self) -> None:
        """Make no more connections."""
        tasks = [task for opening in self._opening.values() for task in opening]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # Requests and replies.

    async def call(self, claim: Claim, connection: Connection) -> Exchange:
        """Send a claim's request over a connection, unless its time (`send_by`) is over."""
        access = self._credentials.latest
        if claim.kind is Kind.CANCEL:
            url = access.cancel_url
            body = wire.encode_cancel(claim, access.credentials, send_game_id=self._send_game_id)
        else:
            url, body = access.status_url, wire.encode_status(claim, access.credentials)
        return await self._client.exchange(connection, url, body, until=claim.send_by)

    async def list_rounds(self, window: Window, page: int, request_id: str) -> tuple[Exchange, RoundsPage | None]:
        """Ask for one page of the rounds that began in a window, over any connection.

        The page is None where the answer has none. Texts of the answer are cleaned of secrets.
        """
        access = self._credentials.access()
        body = encode_rounds(window, page, access.credentials, request_id)
        exchange = await self._client.post(access.rounds_url, body, limit=PAGE_LIMIT_BYTES)
        found = None
        if exchange.body and isinstance(exchange.answer, Reply) and self.means_success(exchange.answer):
            found = read_page(exchange.body)
        return exchange._replace(answer=self._cleaner.before(exchange.answer).answer, body=None), found

    def means_success(self, reply: Reply) -> bool:
        """Whether the code of a reply is the one of success."""
        return self._rules.codes.get(reply.code or "") is Treatment.CANCELLED

    def outcome_of(self, answer: Answer) -> Outcome:
        """The outcome of a question about any number of rounds, by its answer."""
        return classify(Kind.STATUS, answer, self._rules.codes)

    def may_answer_later(self, answer: Answer) -> bool:
        """Whether a question that got no usable answer may get one later. A code is the vendor's word."""
        if not isinstance(answer, Reply) or answer.code is None:
            return self.outcome_of(answer) is not Outcome.REJECTED
        return self._rules.codes.get(answer.code) is Treatment.RETRY

    def interpret(
        self,
        claim: Claim,
        answer: Answer,
        *,
        sent_at: datetime | None,
        replied_at: datetime | None,
        credentials_accepted: bool = False,
        wrong_address: bool = False,
    ) -> Settlement:
        """Turn an answer into a settlement. Secrets that the vendor repeats are masked.

        `credentials_accepted`: a HealthCheck has just accepted our credentials. `wrong_address`: see
        `wrong_status_address`.
        """
        cleaned = self._cleaner.before(answer)
        item = decide(
            claim,
            cleaned.answer,
            self._rules,
            sent_at=sent_at,
            replied_at=replied_at,
            jitter=self._jitter(),
            credentials_accepted=credentials_accepted,
            wrong_status_address=wrong_address,
        )
        return self._cleaner.after(item, cleaned)

    def wrong_status_address(self, claim: Claim, answer: Answer) -> str | None:
        """The sign in this answer that probes go to a wrong address; None once any probe was answered properly."""
        if not claim.is_first_probe or self._probes_answered:
            return None
        self._probes_answered = isinstance(answer, Reply) and answer.code is not None
        return wrong_status_address(answer)

    # Credentials: a refusal halts the partner only where it is real.

    def refuses_us(self, claim: Claim, answer: Answer) -> bool:
        """Whether an answer refuses our credentials."""
        return classify(claim.kind, answer, self._rules.codes) is Outcome.UNAUTHORIZED

    @property
    def secret_changes(self) -> bool:
        """Whether the file of a secret has just changed, and no refusal is being judged yet."""
        return self._credentials.changing

    async def judge_refusal(self, answer: Answer, sent_at: float, *, stopped: Callable[[], bool]) -> bool:
        """Judge a refusal of a request that left at `sent_at`; returns the `credentials_accepted` of `interpret`.

        True means that the refusal concerns this round alone. The partner is halted where the vendor refuses us
        altogether. Neither happens for credentials that were not, or may soon not be, the configured ones: the round
        is sent again.
        """
        if self._state.halted or not await self._credentials.is_refusal_real(sent_at, stopped, self._check_health):
            return False
        if isinstance(answer, Reply) and answer.http_status not in SUCCESS:
            self._state.halt(PartnerHalt.UNAUTHORIZED)
            return False
        return await self._are_credentials_accepted(may_ask=not stopped())

    async def _are_credentials_accepted(self, *, may_ask: bool) -> bool:
        """Whether a HealthCheck of the last minute accepts our credentials; a refusal halts the partner.

        Nothing is sent while one is on its way. Without `may_ask` and a recent answer, nothing changes.
        """
        self._credentials.access()
        since = self._credentials.since
        if (time.monotonic() >= self._healthy_until_s or self._healthy_since_s != since) and not self._state.halted:
            if self._health_check is None or self._health_check.done():
                if not may_ask:
                    return False
                self._state.begin_health_check()
                self._health_check = asyncio.create_task(self._check_health())
                self._health_check.add_done_callback(lambda _: self._state.end_health_check())
            if await asyncio.shield(self._health_check):
                self._healthy_until_s, self._healthy_since_s = time.monotonic() + HEALTH_GOOD_S, since
            else:
                self._credentials.access()
                if self._credentials.since != since:
                    return False  # the old credentials were refused
                self._state.halt(PartnerHalt.UNAUTHORIZED)
        return not self._state.halted

    def _url(self, kind: Kind) -> str:
        access = self._credentials.latest
        return access.cancel_url if kind is Kind.CANCEL else access.status_url

    async def _open(self, kind: Kind) -> None:
        self._credentials.access()
        failure = await self._client.connect(self._url(kind))
        self._state.record(kind, failure, time.monotonic(), self._jitter())

    async def _check_health(self) -> bool:
        access = self._credentials.access()
        exchange = await self._client.post(access.health_url, wire.encode_health(access.credentials, str(uuid.uuid4())))
        return isinstance(exchange.answer, Reply) and exchange.answer.code == "0"

    def _own_secrets(self) -> tuple[str, ...]:
        access = self._credentials.access()
        return (
            access.credentials.token,
            access.credentials.secure_login,
            *(access.cancel_url, access.status_url, access.health_url, access.rounds_url),
        )
