"""The replies of one process that wait for their batch, and when a batch is worth its statement.

A statement costs the database more than its rows do. In a stream of replies they gather longer, and a batch never waits
for more replies than are lost with the process at any speed.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Generic, TypeVar

T = TypeVar("T")

ROOM = 450
"""Replies that may wait before senders block."""

BATCH_MAX = 500
"""Replies taken at once, at the most."""

BATCH_MIN = 200
"""Replies that are taken without waiting for more."""

LINGER_S = 0.03
"""Seconds for which fewer replies may gather."""

STREAM_MIN, STREAM_LINGER_S = 40, 0.1
"""After a batch of so many replies, fewer than `BATCH_MIN` may gather for so many seconds."""


class Inbox(Generic[T]):
    """Replies in the order of their arrival."""

    def __init__(self) -> None:
        self._waiting: list[T] = []
        self.linger_s = LINGER_S
        """Seconds for which the next replies may gather."""
        self._enough = asyncio.Event()
        self._has_room = asyncio.Event()

    def __len__(self) -> int:
        return len(self._waiting)

    def offer(self, reply: T) -> bool:
        """Take a reply; False where there is no room."""
        if len(self._waiting) >= ROOM:
            return False
        self._waiting.append(reply)
        if len(self._waiting) >= BATCH_MIN:
            self._enough.set()
        return True

    async def room(self) -> None:
        """Wait until a batch is taken."""
        self._has_room.clear()
        await self._has_room.wait()

    async def gather(self) -> None:
        """Wait until the replies are worth a batch."""
        if not self._waiting or len(self._waiting) >= BATCH_MIN:
            return
        self._enough.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(self.linger_s):
                await self._enough.wait()
        self.linger_s = STREAM_LINGER_S if len(self._waiting) >= STREAM_MIN else LINGER_S

    def hurry(self) -> None:
        """End the wait for more replies."""
        self._enough.set()

    def take(self) -> list[T]:
        """Take the next batch."""
        taken, self._waiting = self._waiting[:BATCH_MAX], self._waiting[BATCH_MAX:]
        self._has_room.set()
        return taken
