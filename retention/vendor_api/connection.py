"""One connection to a vendor: whether it is usable now, a request in one piece, and its reply.

This module, connection_pool.py and reply_protocol.py alone use undocumented parts of aiohttp. This one uses
`Connection.protocol`, and of the protocol `abort`, `closed`, `is_connected`, `should_close` and `read`. pyproject.toml
bounds aiohttp's version for them, and a test names them.
"""

from __future__ import annotations

import select
import ssl
import time
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from yarl import URL

from retention.vendor_api.reply_protocol import ReplyProtocol

if TYPE_CHECKING:
    from asyncio import Future
    from collections.abc import Callable, Mapping

    from aiohttp import connector
    from aiohttp.streams import StreamReader

    from retention.core.sending.plain_reply import PlainReply

IDLE_S = 1.0
"""Seconds without a first request after which a new connection is idle."""

_INTERIM = range(100, 200)
_SWITCHING = 101


class Head(NamedTuple):
    """A reply's status and headers, and the reader of its body."""

    status: int
    headers: Mapping[str, str]
    body: StreamReader


class Connection:
    """One connection. `uses` counts its replies; `since` is when the last one came, or when the connection was made.

    `closed_here`: it was closed on this side while it was usable.
    """

    __slots__ = ("_awaited", "_made", "_protocol", "_tls", "_unread", "closed_here", "since", "uses")

    def __init__(self, made: connector.Connection) -> None:
        """Take over a new connection. Raises OSError where it has ended already."""
        protocol = made.protocol
        if protocol is None or protocol.transport is None:
            raise ConnectionResetError("the connection ended as it was made")
        assert isinstance(protocol, ReplyProtocol)
        self._made = made
        self._protocol = protocol
        self._awaited: Future[PlainReply | None]
        self._tls: ssl.SSLObject | None = protocol.transport.get_extra_info("ssl_object")
        unread = select.poll()
        unread.register(protocol.transport.get_extra_info("socket").fileno(), select.POLLIN)
        self._unread = unread
        self.closed_here = False
        self.uses = 0
        self.since = time.monotonic()

    def on_end(self, call: Callable[[Connection], None]) -> None:
        """Call `call` when the connection has ended, on either side."""

        def ended(closed: Future[None]) -> None:
            closed.exception()  # marks the exception as retrieved, or asyncio would log it
            call(self)

        if (closed := self._protocol.closed) is not None:
            closed.add_done_callback(ended)
        else:
            call(self)

    @property
    def usable(self) -> bool:
        """Whether it is open, as far as the event loop has read, and no unasked bytes came over it."""
        return self._protocol.is_connected() and not self._protocol.should_close

    def is_quiet(self) -> bool:
        """Whether it is usable, and the event loop has read everything that arrived, an end included.

        Over TLS an unread byte may be a session ticket: the connection is usable once that is read. TLS knows of its
        own end one turn of the loop before it closes the transport.
        """
        return self.usable and not self._unread.poll(0) and (self._tls is None or not _has_news(self._tls))

    def lay_idle(self, sent_at: float) -> bool:
        """Whether the vendor may have given up waiting for a request before the one that left at `sent_at`."""
        return self.uses > 0 or sent_at - self.since >= IDLE_S

    def send(self, url: str, body: bytes) -> None:
        """Write a whole request at once: nothing is awaited between the check and the write."""
        protocol = self._protocol
        self._awaited = protocol.expect()
        assert protocol.transport is not None
        protocol.transport.write(b"%b%d\r\n\r\n%b" % (_request_head(url), len(body), body))

    async def receive(self) -> PlainReply | Head:
        """Wait for a reply, past interim ones. Raises aiohttp's errors."""
        if (reply := await self._awaited) is not None:
            return reply
        while True:
            message, body = await self._protocol.read()
            if message.code not in _INTERIM or message.code == _SWITCHING:
                return Head(message.code, message.headers, body)

    def close(self) -> None:
        """Close it at once: TLS would wait for the vendor's close_notify, which need not come."""
        self.closed_here = self.closed_here or self.usable
        if self._tls is not None:
            self._protocol.abort()
        self._made.close()


def _has_news(tls: ssl.SSLObject) -> bool:
    """Whether TLS has unasked data or an end, once all arrived bytes are read."""
    try:
        tls.read(1)
    except ssl.SSLWantReadError:
        return False
    except ssl.SSLError:
        return True
    return True


@lru_cache(maxsize=64)
def _request_head(url: str) -> bytes:
    """A request's lines up to the length of its body."""
    address = URL(url)
    lines = (
        f"POST {address.raw_path_qs} HTTP/1.1",
        f"Host: {address.host_port_subcomponent}",
        "Content-Type: application/json",
        "Accept: application/json",
        "Accept-Encoding: identity",  # a reply of 64 KiB may not unpack into something else
        "User-Agent: retention",
        "Content-Length: ",
    )
    return "\r\n".join(lines).encode("ascii")
