"""Connections to one vendor, made before a claim.

A connection comes before its claim. aiohttp's session picks a connection only after it has the request; a TLS handshake
of five seconds then let 50 cancels leave after a pause. This module therefore uses aiohttp's connector (DNS, happy
eyeballs, TLS) and parser directly. Of aiohttp's undocumented parts it uses `BaseConnector.connect` with a
`ClientRequest` as the template, and the connector's `_factory`, which makes its protocols.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import TYPE_CHECKING

import aiohttp
from aiohttp.client_reqrep import ClientRequest
from yarl import URL

from retention.core.sending.connection_reuse import WATCHED_S, ConnectionReuse
from retention.vendor_api.connection import Connection
from retention.vendor_api.reply_protocol import ReplyProtocol

if TYPE_CHECKING:
    from aiohttp.client_proto import ResponseHandler

SORT_S = 0.05
"""Seconds between looks for connections that must not be used any more."""

UNUSED_ENDS = 3
"""New connections in a row that ended before a request; from then on a new one has to stay open for a moment."""

Origin = tuple[str, str | None, int | None]
"""Scheme, host and port."""

_NO_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=None)  # the caller's deadline ends a slow connect


@dataclass(slots=True)
class Making:
    """How far a new connection has come."""

    secure: bool = False
    reached: bool = False
    """A server answers at the address; the TLS handshake is next."""

    @property
    def in_handshake(self) -> bool:
        """Whether the TLS handshake has begun and not ended."""
        return self.secure and self.reached


_MAKING: ContextVar[Making] = ContextVar("making")


class _Connector(aiohttp.TCPConnector):
    """Makes connections, and notes when a server answers: aiohttp makes the protocol then, before TLS."""

    def __init__(self) -> None:
        super().__init__(limit=0)
        self._factory = partial(_make_protocol, asyncio.get_running_loop())


def _make_protocol(loop: asyncio.AbstractEventLoop) -> ResponseHandler:
    _MAKING.get().reached = True
    return ReplyProtocol(loop)


@dataclass(slots=True)
class _Pool:
    """The idle connections to one origin; `watched` is a spent one that shows whether the vendor keeps it open."""

    reuse: ConnectionReuse = field(default_factory=ConnectionReuse)
    idle: deque[Connection] = field(default_factory=deque)
    watched: Connection | None = None
    unused_ends: int = 0  # new connections ended before a request, since a reply or one that stayed open
    sorted_at: float = 0.0

    def take(self, now: float) -> Connection | None:
        """Take a connection that is usable at once. One with unread bytes stays: the event loop reads them first."""
        passed, found = [], None
        while self.idle and found is None:
            # Until it is known whether this vendor keeps connections, the one that has rested longest is the safest.
            connection = self.idle.pop() if self.reuse.known else self.idle.popleft()
            idle = now - connection.since
            if not connection.usable or self.reuse.is_spent(connection.uses, idle):
                self._drop(connection)
            elif self.reuse.rests(connection.uses, idle) or not connection.is_quiet():
                passed.append(connection)
            else:
                found = connection
        if self.reuse.known:
            self.idle.extend(reversed(passed))
        else:
            self.idle.extendleft(reversed(passed))
        return found

    def put(self, connection: Connection, now: float) -> None:
        """Keep a connection for the next request, if it may be used again."""
        if not connection.usable:
            self._drop(connection)
        elif not self.reuse.is_spent(connection.uses, now - connection.since):
            self.idle.append(connection)
        elif self.watched is None and self.reuse.may_watch(connection.uses, now):
            self.watched = connection
        else:
            connection.close()

    def sort(self, now: float) -> None:
        """Close connections that must not be used any more, and judge the watched one."""
        if now - self.sorted_at < SORT_S:
            return
        self.sorted_at = now
        for _ in range(len(self.idle)):
            self.put(self.idle.popleft(), now)
        if self.watched is not None and now - self.watched.since >= WATCHED_S:
            connection, self.watched = self.watched, None
            if connection.is_quiet():
                self.reuse.stayed_open()
            self.put(connection, now)

    def ended(self, connection: Connection) -> None:
        """Learn from a connection that has ended; the vendor ended it if it is still idle here."""
        if connection is self.watched:
            self.watched = None
        elif connection in self.idle:
            self.idle.remove(connection)
        else:
            return
        now = time.monotonic()
        self.reuse.ended(connection.uses, now - connection.since, now)
        self._drop(connection)

    def _drop(self, connection: Connection) -> None:
        if not connection.usable and not connection.uses:
            self.unused_ends += 1
        connection.close()

    def close(self) -> None:
        if self.watched is not None:
            self.idle.append(self.watched)
            self.watched = None
        while self.idle:
            self.idle.pop().close()


class Connections:
    """Connections at hand, by origin. The owner closes them at the end."""

    def __init__(self) -> None:
        self._connector = _Connector()
        self._pools: dict[Origin, _Pool] = {}

    async def make(self, url: str, making: Making) -> Connection:
        """Make one more connection, and keep it for `take`.

        Raises errors of aiohttp, asyncio and ssl, and ValueError.
        """
        address = URL(url)
        making.secure = address.scheme == "https"
        _MAKING.set(making)
        request = ClientRequest("POST", address, loop=asyncio.get_running_loop())
        made = await self._connector.connect(request, [], _NO_TIMEOUT)
        pool = self._pool(url)
        connection = Connection(made)
        pool.idle.append(connection)
        connection.on_end(pool.ended)
        return connection

    def not_made(self, url: str) -> None:
        """Learn from a connection that could not be made."""
        if pool := self._known_pool(url):
            pool.reuse.not_reached()

    def in_hand(self, url: str) -> int:
        """How many connections wait for a request; now and then the unusable ones are closed."""
        pool, now = self._pool(url), time.monotonic()
        pool.sort(now)
        return len(pool.idle)

    def end_unused(self, url: str) -> bool:
        """Whether several new connections in a row ended before a request could be sent over them."""
        pool = self._known_pool(url)
        return pool is not None and pool.unused_ends >= UNUSED_ENDS

    def stays_open(self, url: str, connection: Connection) -> bool:
        """Whether the vendor has not ended a connection, a moment after it was made; then the earlier ends are over."""
        if not (connection.usable or connection.uses or connection.closed_here):
            return False
        self._pool(url).unused_ends = 0
        return True

    def are_used_once(self, url: str) -> bool:
        """Whether this vendor ends each connection after its reply, so that each request needs one of its own."""
        return self._pool(url).reuse.most_uses == 1

    def are_there(self, url: str) -> bool:
        """Whether connections are at hand, though perhaps none is usable at once."""
        pool = self._known_pool(url)
        return pool is not None and bool(pool.idle)

    def take(self, url: str) -> Connection | None:
        """Take a connection; None where no connection is usable at once.

        A connection with unasked bytes is not used: they would be taken for the reply to the next request.
        """
        pool = self._known_pool(url)
        return pool.take(time.monotonic()) if pool else None

    def give_back(self, url: str, connection: Connection) -> None:
        """Return a connection over which nothing was sent."""
        self._pool(url).put(connection, time.monotonic())

    def replied(self, url: str, connection: Connection) -> None:
        """Return a connection after a whole reply; after anything else it is closed."""
        pool, now = self._pool(url), time.monotonic()
        connection.uses += 1
        connection.since = now
        pool.unused_ends = 0
        pool.reuse.replied(connection.uses)
        pool.put(connection, now)

    def ended_in_use(self, url: str, connection: Connection, sent_at: float) -> None:
        """Learn from a connection that ended under the request that left at that moment, before a reply began."""
        self._pool(url).reuse.ended_in_use(connection.uses, sent_at - connection.since, time.monotonic())

    async def close(self) -> None:
        """Close all of them."""
        for pool in self._pools.values():
            pool.close()
        await self._connector.close()

    def _known_pool(self, url: str) -> _Pool | None:
        try:
            return self._pools.get(_origin(url))
        except ValueError:  # an invalid address, which `make` reports
            return None

    def _pool(self, url: str) -> _Pool:
        return self._pools.setdefault(_origin(url), _Pool())


@lru_cache(maxsize=64)
def _origin(url: str) -> Origin:
    address = URL(url)
    return address.scheme, address.raw_host, address.port
