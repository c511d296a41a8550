"""The longest wait for a statement's answer."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from retention.ledger.database_errors import ReplyTimeoutError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

LONGEST_TIMEOUT_S = 600.0
"""Seconds for any answer, however often its statement timed out before."""


class AdaptiveTimeout:
    """Limits the wait for each statement's answer; each timeout doubles the limit of that statement.

    A connection can die silently, so no wait is unlimited. A slow statement must succeed at last, so the limit grows.
    An answer within the first limit shows that an outage had made it grow, and brings that one back.
    """

    def __init__(self, seconds: float) -> None:
        self._first = seconds
        self._seconds: dict[str, float] = {}

    @asynccontextmanager
    async def __call__(self, name: str) -> AsyncIterator[None]:
        """Raise ReplyTimeoutError if the statement of this name takes too long."""
        seconds, began = self._seconds.get(name, self._first), time.monotonic()
        try:
            async with asyncio.timeout(seconds):
                yield
        except TimeoutError:
            self._seconds[name] = min(2 * seconds, LONGEST_TIMEOUT_S)
            raise ReplyTimeoutError(f"no answer for {seconds:.0f} s ({name})") from None
        if time.monotonic() - began < self._first:
            self._seconds.pop(name, None)
