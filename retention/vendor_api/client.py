"""The HTTP edge: sends a request's bytes, reads a reply's bytes, and says how far the request came.

The send check (`core/sending/send_check.py`) has decided that a request may leave; the client looks once more at the
clock and the connection, directly before it writes. A process that was frozen on the way therefore sends no old claim.
A process whose clock was frozen with it, as in a paused virtual machine, cannot know; the vendor's own answer to a
second cancel has to suffice there.
"""

from __future__ import annotations

import asyncio
import math
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple, Self

import aiohttp

from retention.core.model import NotConnected, Unclear
from retention.core.sending.connection_reuse import SOON_UNUSED_S
from retention.core.sending.plain_reply import PlainReply
from retention.core.sending.wire import (
    MAX_PAUSE_S,
    REPLY_LIMIT_BYTES,
    REQUEST_TIMEOUT,
    SUCCESS,
    decode,
    decode_success,
)
from retention.network_errors import ENDED_UNUSED, ended_without_reply, why_not_connected, why_unclear
from retention.vendor_api.connection_pool import Connections, Making
from retention.vendor_api.deadlines import Deadlines

if TYPE_CHECKING:
    from aiohttp.streams import StreamReader

    from retention.core.model import Answer, Reply
    from retention.vendor_api.connection import Connection, Head

_FAILURES = (aiohttp.ClientError, aiohttp.http.HttpProcessingError, OSError, TimeoutError, ValueError)
_LONGEST_LENGTH = 10
"""Digits of a Content-Length that are read as a number."""

_LOOK_AGAIN_S = 0.001
"""Seconds between looks for a usable connection, where connections are at hand and none is usable yet."""


class Exchange(NamedTuple):
    """An answer, and when its request left and its reply came (monotonic seconds), None if that did not happen.

    `body` is a success's body, None where it is longer than allowed. `date` is the reply's own Date, as it came.
    """

    answer: Answer
    sent_at: float | None
    replied_at: float | None
    body: bytes | None = None
    date: str | None = None


class VendorClient:
    """Calls one partner's API. TLS is verified, no redirect is followed, and no proxy taken from the environment.

    `timeout` in seconds: for a connection to be made, and then for a request from its first byte to the reply's last.
    `max_pause` is the longest pause that a reply may ask for, in seconds too.
    The errors' own messages are never passed on: they name the address, which is a secret.
    """

    def __init__(self, *, timeout: float, max_pause: float = MAX_PAUSE_S) -> None:
        self._seconds = timeout
        self._max_pause = max_pause
        self._made: Connections | None = None
        self._timers: Deadlines | None = None

    async def __aenter__(self) -> Self:
        self._made = Connections()
        self._timers = Deadlines(self._seconds)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._deadlines.close()
        await self._connections.close()

    async def connect(self, url: str) -> NotConnected | None:
        """Make one more connection to an address, and keep it; returns the reason where that failed.

        Where the vendor ended several connections unused, a new connection has to stay open for a moment.
        """
        making = Making()
        try:
            with self._deadlines.running():
                connection = await self._connections.make(url, making)
        except _FAILURES as error:
            self._connections.not_made(url)
            return NotConnected(why_not_connected(error, in_handshake=making.in_handshake))
        if not self._connections.end_unused(url):
            return None
        await asyncio.sleep(SOON_UNUSED_S)
        return None if self._connections.stays_open(url, connection) else NotConnected(ENDED_UNUSED)

    def in_hand(self, url: str) -> int:
        """How many connections to an address are at hand."""
        return self._connections.in_hand(url)

    def are_used_once(self, url: str) -> bool:
        """Whether the vendor ends each connection after its reply, so that each request needs one of its own."""
        return self._connections.are_used_once(url)

    def take(self, url: str) -> Connection | None:
        """Take a connection that is at hand, for `exchange`."""
        return self._connections.take(url)

    def give_back(self, url: str, connection: Connection) -> None:
        """Return a connection over which nothing was sent."""
        self._connections.give_back(url, connection)

    async def exchange(
        self,
        connection: Connection,
        url: str,
        body: bytes,
        *,
        until: float = math.inf,
        limit: int = REPLY_LIMIT_BYTES,
    ) -> Exchange:
        """Send one request over a connection, at once. Never raises for a fault of the network or the vendor.

        A reply that is longer than `limit` bytes is not read to its end.

        Refuses to send at or after `until`, in seconds on the monotonic clock: a frozen process notices its timeout
        only after its next action, when another process may own the claim. Refuses also over a connection whose end has
        arrived. A request is never repeated.
        """
        sent_at = time.monotonic()
        if sent_at >= until or not connection.is_quiet():
            self.give_back(url, connection)
            why = "its time was over" if sent_at >= until else "the vendor ended the connection before"
            return Exchange(NotConnected(f"not sent: {why}"), None, None)
        try:
            with self._deadlines.running():
                connection.send(url, body)
                received = await connection.receive()
                told: bytes | None
                if isinstance(received, PlainReply):  # shorter than any limit
                    told, date = received
                    reply = decode_success(200, told)
                else:
                    reply, told = await _read(received, self._max_pause, limit)
                    date = received.headers.get("Date")
        except _FAILURES as error:
            if ended_without_reply(error):
                self._connections.ended_in_use(url, connection, sent_at)
            connection.close()
            return Exchange(Unclear(why_unclear(error)), sent_at, None)
        except BaseException:  # the call is cancelled: no request awaits the reply any more
            connection.close()
            raise
        if reply.http_status == REQUEST_TIMEOUT and connection.lay_idle(sent_at):
            reply = reply._replace(over_idle=True)
        self._connections.replied(url, connection)
        return Exchange(reply, sent_at, time.monotonic(), told, date)

    async def post(self, url: str, body: bytes, *, until: float = math.inf, limit: int = REPLY_LIMIT_BYTES) -> Exchange:
        """Send one request over a connection at hand, or a new one; nothing leaves after `until` or the timeout."""
        until = min(until, time.monotonic() + self._seconds)
        while True:
            if (connection := self.take(url)) is not None:
                exchange = await self.exchange(connection, url, body, until=until, limit=limit)
                if exchange.sent_at is not None or time.monotonic() >= until:
                    return exchange
            elif self._connections.are_there(url) and time.monotonic() < until:
                await asyncio.sleep(_LOOK_AGAIN_S)  # the event loop reads their bytes first
            elif failed := await self.connect(url):
                return Exchange(failed, None, None)

    @property
    def _connections(self) -> Connections:
        assert self._made is not None
        return self._made

    @property
    def _deadlines(self) -> Deadlines:
        assert self._timers is not None
        return self._timers


async def _read(head: Head, max_pause: float, limit: int) -> tuple[Reply, bytes | None]:
    """Read a reply; returns it decoded, and its body."""
    body: bytes | None = b""
    if head.status in SUCCESS:
        length = "" if "Transfer-Encoding" in head.headers else head.headers.get("Content-Length", "")
        known = length.isdecimal() and len(length) <= _LONGEST_LENGTH and int(length) <= limit
        body = await head.body.read() if known else await _bounded(head.body, limit)
    reply = decode(head.status, head.headers, body, datetime.now(UTC), max_pause)
    return (reply if body is not None else reply._replace(problem=f"the reply is longer than {limit} bytes")), body


async def _bounded(content: StreamReader, limit: int) -> bytes | None:
    """A body whose length is unknown beforehand, or too great; None where it is longer than allowed."""
    body = bytearray()
    while part := await content.read(limit + 1 - len(body)):
        body += part
    return bytes(body) if len(body) <= limit else None
