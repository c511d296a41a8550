"""One connection to a vendor: whether it can be used just now, a request in one piece, and its reply.

With connections.py it is the only one that uses what aiohttp does not document: `Connection.protocol`, and of the
protocol `abort`, `closed`, `is_connected`, `should_close`, `set_response_params` and `read`. pyproject.toml bounds
aiohttp's version for it.
"""

from __future__ import annotations

import select
import ssl
import time
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from yarl import URL

if TYPE_CHECKING:
    from asyncio import Future
    from collections.abc import Callable, Mapping

    from aiohttp import connector
    from aiohttp.streams import StreamReader

IDLE_S = 1.0
"""Seconds: a connection that waits for longer for its first request is idle."""

_INTERIM = range(100, 200)
_SWITCHING = 101


class Head(NamedTuple):
    """A reply's status and headers, and the reader of its body."""

    status: int
    headers: Mapping[str, str]
    body: StreamReader


class Connection:
    """One connection. `uses` counts its replies; `since`, on the monotonic clock, is the last one's, or its making."""

    __slots__ = ("_made", "_protocol", "_tls", "_unread", "since", "uses")

    def __init__(self, made: connector.Connection) -> None:
        """Take over a connection that has just been made. Raises OSError where it has ended already."""
        protocol = made.protocol
        if protocol is None or protocol.transport is None:
            raise ConnectionResetError("the connection ended as it was made")
        self._made = made
        self._protocol = protocol
        self._tls: ssl.SSLObject | None = protocol.transport.get_extra_info("ssl_object")
        unread = select.poll()
        unread.register(protocol.transport.get_extra_info("socket").fileno(), select.POLLIN)
        self._unread = unread
        self.uses = 0
        self.since = time.monotonic()

    def on_end(self, call: Callable[[Connection], None]) -> None:
        """Call when it has ended, whoever ended it."""

        def ended(closed: Future[None]) -> None:
            closed.exception()  # how it ended is of no interest, and asyncio complains of what nobody looked at
            call(self)

        if (closed := self._protocol.closed) is not None:
            closed.add_done_callback(ended)
        else:
            call(self)

    @property
    def usable(self) -> bool:
        """Whether it is open, as far as the event loop has read, and nothing came over it unasked."""
        return self._protocol.is_connected() and not self._protocol.should_close

    def is_quiet(self) -> bool:
        """Whether it is usable, and neither bytes nor an end have arrived that the event loop has not read yet.

        Over TLS a byte that is not read may be a session ticket: it says nothing against the connection once it is
        read. An end of TLS alone is known to TLS one turn of the loop before it closes the transport.
        """
        return self.usable and not self._unread.poll(0) and (self._tls is None or not _has_news(self._tls))

    def lay_idle(self, sent_at: float) -> bool:
        """Whether the vendor may have waited for a request, until the one that left then, and given up waiting."""
        return self.uses > 0 or sent_at - self.since >= IDLE_S

    def send(self, url: str, body: bytes) -> None:
        """Write a whole request at once: nothing is waited for between the last look and the bytes' leaving."""
        protocol = self._protocol
        protocol.set_response_params(read_until_eof=True, auto_decompress=False)
        assert protocol.transport is not None
        protocol.transport.write(b"%b%d\r\n\r\n%b" % (_request_head(url), len(body), body))

    async def receive(self) -> Head:
        """Wait for a reply, past interim ones. Raises what aiohttp raises."""
        while True:
            message, body = await self._protocol.read()
            if message.code not in _INTERIM or message.code == _SWITCHING:
                return Head(message.code, message.headers, body)

    def close(self) -> None:
        """Close it at once: TLS would wait for the other side's goodbye, which need not come."""
        if self._tls is not None:
            self._protocol.abort()
        self._made.close()


def _has_news(tls: ssl.SSLObject) -> bool:
    """Whether TLS has anything to tell, all bytes that came being read: data that nobody asked for, or an end."""
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
