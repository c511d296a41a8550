"""What one partner's calls carry, and whether a refusal of it is to be believed: a file of a secret may be changing."""

from __future__ import annotations

import asyncio
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from retention.core.sending.credential_refusal import CHANGING_S, CredentialRefusal, judge_credential_refusal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from retention.core.model import Credentials

LOOK_S = 0.1
"""Seconds between looks at a secret's file, while a refusal is not believed."""

ASK_S = 1.0
"""Seconds between HealthChecks, while it is the new credentials that are refused."""


@dataclass(frozen=True, slots=True, repr=False)
class Access:
    """Where a partner's calls go, and what they carry. All of it is secret."""

    cancel_url: str
    status_url: str
    health_url: str
    credentials: Credentials


class CredentialWatch:
    """Knows since when the credentials are used that are configured now. Times on the monotonic clock, in seconds.

    `waiting` counts the refusals that are not judged yet: nothing is sent meanwhile.
    """

    def __init__(self, access: Callable[[], Access], changed_at: Callable[[], float]) -> None:
        self.since = -math.inf
        self.waiting = 0
        self._access = access
        self._changed_at = changed_at
        self._current: Credentials | None = None
        self._accepted_at = -math.inf
        self._one = asyncio.Lock()

    def access(self) -> Access:
        """Where the next call goes, and what it carries."""
        found = self._access()
        if found.credentials != self._current:
            if self._current is not None:
                self.since = time.monotonic()
            self._current = found.credentials
        return found

    @property
    def changing(self) -> bool:
        """Whether the file of a secret has changed just now, and no refusal waits yet."""
        return not self.waiting and time.monotonic() - self._changed_at() < CHANGING_S

    async def stand(
        self, sent_at: float, stopped: Callable[[], bool], is_accepted: Callable[[], Awaitable[bool]]
    ) -> bool:
        """Whether the credentials that were refused, of a request sent at that moment, are the configured ones.

        Waits while they may be about to change. Once they have, `is_accepted` asks the vendor, which may be slower than
        the file; nothing but that is sent. False where it is stopped meanwhile: nothing is known then.
        """
        refused_at = time.monotonic()
        self.waiting += 1
        try:
            async with self._one:
                return await self._judge(sent_at, refused_at, stopped, is_accepted)
        finally:
            self.waiting -= 1

    async def _judge(
        self, sent_at: float, refused_at: float, stopped: Callable[[], bool], is_accepted: Callable[[], Awaitable[bool]]
    ) -> bool:
        ask_at = refused_at + ASK_S
        while True:
            self.access()  # reads the files again
            now = time.monotonic()
            refusal = judge_credential_refusal(
                sent_at, refused_at, now, since=self.since, changed_at=self._changed_at()
            )
            if refusal is CredentialRefusal.OLD or sent_at < self._accepted_at:
                return False
            if refusal is CredentialRefusal.REAL:
                return True
            if stopped():
                return False
            if now >= ask_at and self.since > -math.inf:
                ask_at = now + ASK_S
                if await is_accepted():
                    self._accepted_at = now
                    return False
            await asyncio.sleep(LOOK_S)
