"""Messages between a process and its child, over one socket.

The kernel closes the socket when a process ends, however it ends, so each side notices the other's end. A message is a
pickle: both sides are one program, and nobody else has the socket.
"""

from __future__ import annotations

import asyncio
import pickle
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    import socket

LENGTH_BYTES = 4
"""Bytes of the length that stands before each message."""


class Channel:
    """One side of the socket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def over(cls, connection: socket.socket) -> Self:
        """Open this side of the socket."""
        return cls(*await asyncio.open_unix_connection(sock=connection))

    def send(self, message: object) -> None:
        """Send a message; one to a process that has ended is lost."""
        if not self._writer.is_closing():
            data = pickle.dumps(message)
            self._writer.write(len(data).to_bytes(LENGTH_BYTES) + data)

    async def receive(self) -> Any:
        """Return the next message; None once the other side has ended."""
        try:
            length = int.from_bytes(await self._reader.readexactly(LENGTH_BYTES))
            return pickle.loads(await self._reader.readexactly(length))  # noqa: S301 - it comes from our own process
        except (asyncio.IncompleteReadError, OSError):
            return None

    def end(self) -> None:
        """Send nothing more: the other side sees this side's end, and may still answer."""
        if not self._writer.is_closing():
            with suppress(OSError):
                self._writer.write_eof()

    def close(self) -> None:
        """Close this side."""
        self._writer.close()
