"""One connection of the simulated vendor: it sends a reply, half of it or none, and knows when its client left."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from asyncio.trsock import TransportSocket

    from retention.simulator.fault import CannedReply


class Connection(web.RequestHandler):
    """A connection with an event for its end: it ends a hanging request, but not one that is being answered."""

    __slots__ = ("gone",)

    def __init__(self, server: web.Server) -> None:
        # None turns off aiohttp's log of requests: the log is slow, and the simulator keeps its own.
        super().__init__(server, loop=asyncio.get_running_loop(), access_log=None)  # type: ignore[arg-type]
        self.gone = asyncio.Event()

    def connection_lost(self, exc: BaseException | None) -> None:
        self.gone.set()
        super().connection_lost(exc)


async def send(http: web.BaseRequest, reply: CannedReply, ending: str) -> web.StreamResponse:
    """Send a reply, half of it, or none. After a cut, aiohttp drops the returned response."""
    headers = {"Content-Type": "application/json", **reply.headers}
    if ending == "half":
        half = web.StreamResponse(headers={**headers, "Content-Length": str(len(reply.body))})
        await half.prepare(http)
        await half.write(reply.body[: len(reply.body) // 2])
        if http.transport is not None:
            http.transport.close()
    elif ending == "cut":
        reset(http.transport)
    return web.Response(status=reply.status, body=reply.body, headers=headers)


def reset(transport: asyncio.Transport | None) -> None:
    """End a connection with a reset, as a crash does; a close would be an orderly end."""
    if transport is not None and not transport.is_closing():
        reset_at_close(transport.get_extra_info("socket"))
        transport.abort()


def reset_at_close(connection: socket.socket | TransportSocket) -> None:
    """Make a socket end with a reset that drops its unsent data."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
