"""One partner as the engine sees it: whether it may be called just now, and how to."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from retention.core import wire
from retention.core.backoff import outage_pause
from retention.core.model import Kind, NotConnected, Reply
from retention.core.outcome import Treating, settle
from retention.log import MASK, SHORTEST

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from retention.core.model import Answer, Claim, Credentials, Settlement
    from retention.ledger.work import LaneTerms
    from retention.vendor.client import Exchange, VendorClient

STREAK = 3
"""Connections in a row that could not be made before the partner counts as out of reach, and not just a round."""


CUT = 64
"""Characters from which on a reply's text may have been cut."""


@dataclass(frozen=True, slots=True, repr=False)
class Access:
    """Where a partner's calls go, and what they carry. All of it is secret."""

    cancel_url: str
    status_url: str
    credentials: Credentials


@dataclass(slots=True)
class Reach:
    """What this process knows of a partner being reachable; times in seconds on the monotonic clock."""

    max_attempts: int
    reached: bool = False
    failed: bool = False
    streak: int = 0
    outages: int = 0
    until: float = 0.0

    def note(self, answer: Answer, now: float, fraction: float) -> None:
        """Take in an answer. The failures of one burst count once: those behind the first find the pause set."""
        if not isinstance(answer, NotConnected):
            self.reached, self.streak, self.outages, self.until = True, 0, 0, 0.0
            return
        self.failed = True
        self.streak += 1
        if self.streak >= STREAK and now >= self.until:
            self.outages += 1
            self.until = now + outage_pause(self.outages, fraction)

    @property
    def lost(self) -> bool:
        """Whether it was tried as often as a round may be, with growing pauses, and never answered."""
        return self.outages >= self.max_attempts


class Partner:
    """One partner's terms, client, and standing in this run."""

    def __init__(
        self,
        terms: LaneTerms,
        treating: Treating,
        client: VendorClient,
        *,
        concurrency: int,
        send_game_id: bool,
        access: Callable[[], Access],
        redact: Callable[[str], str],
    ) -> None:
        self.terms = terms
        self.treating = treating
        self.concurrency = concurrency
        self.reach = Reach(treating.max_attempts)
        self.halted = False
        self.throttled_until = 0.0
        self._client = client
        self._send_game_id = send_game_id
        self._access = access
        self._redact = redact

    @property
    def name(self) -> str:
        """The partner's name in the configuration."""
        return self.terms.partner

    def blocked(self, now: float) -> bool:
        """Whether no request may leave for it just now."""
        return self.halted or now < self.throttled_until or now < self.reach.until

    async def call(self, claim: Claim) -> Exchange:
        """Send a claim's request, while it is ours."""
        access = self._access()
        if claim.kind is Kind.CANCEL:
            body = wire.encode_cancel(claim, access.credentials, send_game_id=self._send_game_id)
            return await self._client.post(access.cancel_url, body, until=claim.expires)
        return await self._client.post(
            access.status_url, wire.encode_status(claim, access.credentials), until=claim.expires
        )

    def settle(
        self,
        claim: Claim,
        answer: Answer,
        *,
        sent_at: datetime | None,
        replied_at: datetime | None,
    ) -> Settlement:
        """What an answer changes in the ledger. No secret that the vendor echoes gets there."""
        clean = self._clean_as_it_is(answer)
        item = settle(
            claim,
            answer if clean else self._without_secrets(answer),
            self.treating,
            sent_at=sent_at,
            replied_at=replied_at,
            fraction=random.random(),  # noqa: S311 - spreads retries, guards nothing
        )
        if clean:
            return item
        return item._replace(
            error_code=self._clean(item.error_code),  # only now: what it means was decided by what it is
            transaction_id=self._clean(item.transaction_id),
        )

    def _clean_as_it_is(self, answer: Answer) -> bool:
        """Whether there is nothing to take out, as is nearly always so: one look at all the texts together says it."""
        if not isinstance(answer, Reply):
            return True
        together = f"{answer.code}\n{answer.description}\n{answer.round_status}\n{answer.transaction_id}"
        short = len(together) < CUT or all(len(text) < CUT for text in together.split("\n"))
        return short and self._redact(together) == together

    def _without_secrets(self, answer: Answer) -> Answer:
        if not isinstance(answer, Reply):
            return answer
        description, status = self._clean(answer.description), self._clean(answer.round_status)
        return answer._replace(description=description, round_status=status)

    def _clean(self, text: str | None) -> str | None:
        """Take secrets out of a text, and the beginning of one from the end of a text that may have been cut there."""
        if text is None:
            return None
        shown = self._redact(text)
        if len(text) < CUT:
            return shown
        access = self._access()
        secrets = (access.credentials.token, access.credentials.secure_login, access.cancel_url, access.status_url)
        for secret in secrets:
            for length in range(len(secret) - 1, SHORTEST - 1, -1):
                if shown.endswith(secret[:length]):
                    return shown[:-length] + MASK
        return shown
