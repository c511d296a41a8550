"""Connections to one vendor, made before there is anything to send, and requests in one piece.

aiohttp's connector makes them (DNS, happy eyeballs, TLS) and its parser reads the replies; its session would choose a
connection, and wait for one, after a request is already ours to send. This module is the only one that uses what
aiohttp does not document: `BaseConnector.connect` with a `ClientRequest` as the template, `Connection.protocol`, and of
the protocol `is_connected`, `should_close`, `set_response_params` and `read`. pyproject.toml bounds aiohttp's version
for it.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import aiohttp
from aiohttp.client_reqrep import ClientRequest
from yarl import URL

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp.client_proto import ResponseHandler
    from aiohttp.connector import Connection
    from aiohttp.streams import StreamReader

KEPT_S = 30.0
"""Seconds for which a connection is kept that no request uses."""

SORT_S = 0.05
"""Seconds between looks for connections that the vendor has closed."""

Origin = tuple[str, str | None, int | None]
"""Scheme, host and port."""

_INTERIM = range(100, 200)
_SWITCHING = 101
_NO_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=None)  # the caller's deadline ends what takes too long


class Head(NamedTuple):
    """A reply's status and headers, and the reader of its body."""

    status: int
    headers: Mapping[str, str]
    body: StreamReader


class Connections:
    """Connections in hand, by the origin that they lead to. To be closed at the end."""

    def __init__(self) -> None:
        self._connector = aiohttp.TCPConnector(limit=0)
        self._sorted_at = 0.0
        self._idle: dict[Origin, deque[tuple[Connection, float]]] = {}

    async def make(self, url: str) -> None:
        """Make one more connection, and keep it in hand. Raises what aiohttp, asyncio and ssl raise, and ValueError."""
        address = URL(url)
        request = ClientRequest("POST", address, loop=asyncio.get_running_loop())
        connection = await self._connector.connect(request, [], _NO_TIMEOUT)
        self._kept(_origin(url)).append((connection, time.monotonic()))

    def in_hand(self, url: str) -> int:
        """How many connections wait for a request; now and then those are sorted out that the vendor has closed."""
        kept, now = self._kept(_origin(url)), time.monotonic()
        if now - self._sorted_at >= SORT_S:
            self._sorted_at = now
            for _ in range(len(kept)):
                connection, since = kept.popleft()
                if _usable(connection) and now - since < KEPT_S:
                    kept.append((connection, since))
                else:
                    connection.close()
        return len(kept)

    def take(self, url: str) -> Connection | None:
        """Take a connection out of hand; None where there is none.

        A connection on which something came unasked is not used: it would be taken for the reply to the next request.
        """
        try:
            kept = self._idle.get(_origin(url))
        except ValueError:  # no address; whoever tries to connect is told
            return None
        while kept:
            connection, since = kept.pop()
            if _usable(connection) and time.monotonic() - since < KEPT_S:
                return connection
            connection.close()
        return None

    def give_back(self, url: str, connection: Connection) -> None:
        """Put a connection back in hand after a whole reply; after anything else it is closed."""
        if _usable(connection):
            self._kept(_origin(url)).append((connection, time.monotonic()))
        else:
            connection.close()

    async def close(self) -> None:
        """Close all of them."""
        for kept in self._idle.values():
            while kept:
                kept.pop()[0].close()
        await self._connector.close()

    def _kept(self, origin: Origin) -> deque[tuple[Connection, float]]:
        return self._idle.setdefault(origin, deque())


def send(connection: Connection, url: str, body: bytes) -> None:
    """Write a whole request at once: nothing is waited for between the caller's last look and the bytes' leaving."""
    protocol = _protocol_of(connection)
    protocol.set_response_params(read_until_eof=True, auto_decompress=False)
    assert protocol.transport is not None
    protocol.transport.write(b"%b%d\r\n\r\n%b" % (_request_head(url), len(body), body))


async def receive(connection: Connection) -> Head:
    """Wait for a reply, past interim ones. Raises what aiohttp raises."""
    protocol = _protocol_of(connection)
    while True:
        message, body = await protocol.read()
        if message.code not in _INTERIM or message.code == _SWITCHING:
            return Head(message.code, message.headers, body)


def _protocol_of(connection: Connection) -> ResponseHandler:
    protocol = connection.protocol
    assert protocol is not None
    return protocol


def _usable(connection: Connection) -> bool:
    protocol = connection.protocol
    return protocol is not None and protocol.is_connected() and not protocol.should_close


@lru_cache(maxsize=64)
def _origin(url: str) -> Origin:
    address = URL(url)
    return address.scheme, address.raw_host, address.port


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
