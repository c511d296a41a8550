"""One connection of the simulated vendor: sends a reply, half of it or none, and tells when its client has gone."""

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
    """A connection that tells when it is gone: a request that hangs ends then, and one that is worked on does not."""

    __slots__ = ("gone",)

    def __init__(self, server: web.Server) -> None:
        # None is aiohttp's word for no log of requests: it costs, and the simulator keeps its own.
        super().__init__(server, loop=asyncio.get_running_loop(), access_log=None)  # type: ignore[arg-type]
        self.gone = asyncio.Event()

    def connection_lost(self, exc: BaseException | None) -> None:
        self.gone.set()
        super().connection_lost(exc)


async def send(http: web.BaseRequest, said: CannedReply, ending: str) -> web.StreamResponse:
    """Send a reply, half of it, or none. What is returned after a cut goes nowhere."""
    headers = {"Content-Type": "application/json", **said.headers}
    if ending == "half":
        half = web.StreamResponse(headers={**headers, "Content-Length": str(len(said.body))})
        await half.prepare(http)
        await half.write(said.body[: len(said.body) // 2])
        if http.transport is not None:
            http.transport.close()
    elif ending == "cut":
        reset(http.transport)
    return web.Response(status=said.status, body=said.body, headers=headers)


def reset(transport: asyncio.Transport | None) -> None:
    """End a connection as a crash does: with a reset, where close would be a polite goodbye."""
    if transport is not None and not transport.is_closing():
        reset_at_close(transport.get_extra_info("socket"))
        transport.abort()


def reset_at_close(connection: socket.socket | TransportSocket) -> None:
    """Let a socket end with a reset, and without what it has not sent yet."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
