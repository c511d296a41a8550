"""The addresses and credentials of one partner's calls, and whether a refusal of them is real.

A secret's file may change while a run is on. A refusal then may concern the old credentials, or a vendor that does not
know the new ones yet. Both pass by themselves, so neither halts the partner.
"""

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
    from retention.core.sending.partner_state import PartnerState

FILE_POLL_S = 0.1
"""Seconds between reads of a secret's file, while a refusal is being judged."""

HEALTH_CHECK_INTERVAL_S = 1.0
"""Seconds between HealthChecks, while the vendor refuses new credentials."""


@dataclass(frozen=True, slots=True, repr=False)
class Access:
    """The addresses of a partner's calls, and their credentials. All of it is secret."""

    cancel_url: str
    status_url: str
    health_url: str
    credentials: Credentials
    rounds_url: str = ""


class CredentialWatch:
    """Knows since when (`since`) the configured credentials are used. Times in seconds on the monotonic clock."""

    def __init__(self, state: PartnerState, access: Callable[[], Access], changed_at: Callable[[], float]) -> None:
        self.since = -math.inf
        self._state = state
        self._access = access
        self._changed_at = changed_at
        self._current: Access | None = None
        self._accepted_at = -math.inf
        self._one = asyncio.Lock()

    def access(self) -> Access:
        """Read the addresses and credentials of the next call."""
        found, before = self._access(), self._current
        if found is not before:
            if before is not None and found.credentials != before.credentials:
                self.since = time.monotonic()
            self._current = found
        return found

    @property
    def latest(self) -> Access:
        """The addresses and credentials as they were read last."""
        return self._current or self.access()

    @property
    def changing(self) -> bool:
        """Whether the file of a secret has just changed, and no refusal is being judged yet."""
        return not self._state.judges_refusal and time.monotonic() - self._changed_at() < CHANGING_S

    async def is_refusal_real(
        self, sent_at: float, stopped: Callable[[], bool], is_accepted: Callable[[], Awaitable[bool]]
    ) -> bool:
        """Judge a refusal of a request that left at `sent_at`: whether the vendor refused the configured credentials.

        Waits while the file may be about to change. After a change, `is_accepted` asks the vendor, which may learn of
        new credentials later than the file shows them. Nothing else is sent meanwhile. False also where `stopped` ends
        the wait.
        """
        refused_at = time.monotonic()
        self._state.begin_refusal()
        try:
            async with self._one:
                return await self._judge(sent_at, refused_at, stopped, is_accepted)
        finally:
            self._state.end_refusal()

    async def _judge(
        self, sent_at: float, refused_at: float, stopped: Callable[[], bool], is_accepted: Callable[[], Awaitable[bool]]
    ) -> bool:
        ask_at = refused_at + HEALTH_CHECK_INTERVAL_S
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
                ask_at = now + HEALTH_CHECK_INTERVAL_S
                if await is_accepted():
                    self._accepted_at = now
                    return False
            await asyncio.sleep(FILE_POLL_S)
