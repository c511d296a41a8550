"""The listening sockets of the simulated vendor: they accept connections at once or late, with TLS or without."""

from __future__ import annotations

import asyncio
import errno
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

from retention.simulator.connection import Connection, reset, reset_at_close

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from aiohttp import web

_BACKLOG = 1024
_ACCEPT_RETRY_S = 0.05
"""Pause after a failed accept, as when the process has no file descriptor left."""


class Listener:
    """Accepts connections for an aiohttp server. `delay` returns the seconds before a new connection is read.

    The listener accepts by itself, because an asyncio server reads and handshakes a new connection at once.
    """

    def __init__(self, server: web.Server, tls: ssl.SSLContext | None, delay: Callable[[], float]) -> None:
        self._server, self._tls, self._delay = server, tls, delay
        self._sockets: list[socket.socket] = []
        self._accepting: list[asyncio.Task[None]] = []
        self._delayed: dict[asyncio.Task[None], socket.socket] = {}

    async def open(self, host: str, port: int) -> int:
        """Listen on all addresses of the host, and return the port: a free one for 0. Raises OSError."""
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        missing: OSError | None = None
        for family, address in dict.fromkeys((one[0], one[4]) for one in found):
            try:
                one = socket.create_server((address[0], port, *address[2:]), family=family, backlog=_BACKLOG)
            except OSError as error:
                if error.errno in {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}:
                    missing = error  # `localhost` has an IPv6 address too, but this machine may lack IPv6
                    continue
                self._close_sockets()
                raise
            one.setblocking(False)
            self._sockets.append(one)
            port = one.getsockname()[1]
        if missing is not None and not self._sockets:
            raise missing
        self._accepting = [asyncio.create_task(self._accept(one)) for one in self._sockets]
        return port

    async def close(self) -> None:
        """Refuse and reset connections, delayed ones included."""
        for task in self._accepting:
            task.cancel()
        await asyncio.gather(*self._accepting, return_exceptions=True)
        self._close_sockets()
        delayed = dict(self._delayed)
        for task, connection in delayed.items():
            reset_at_close(connection)
            task.cancel()
        connections = [one for one in self._server.connections if isinstance(one, Connection)]
        for one in connections:
            reset(one.transport)
        await asyncio.gather(*delayed, *(one.gone.wait() for one in connections), return_exceptions=True)
        for connection in delayed.values():
            connection.close()

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(listening)
            except OSError:
                await asyncio.sleep(_ACCEPT_RETRY_S)
                continue
            task = loop.create_task(self._admit(connection, self._delay()))
            self._delayed[task] = connection
            task.add_done_callback(self._delayed.pop)

    async def _admit(self, connection: socket.socket, wait: float) -> None:
        if wait:
            await asyncio.sleep(wait)
        with suppress(OSError):  # the client left, or rejects the certificate
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: Connection(self._server), connection, ssl=self._tls
            )

    def _close_sockets(self) -> None:
        for one in self._sockets:
            one.close()
        self._sockets.clear()
