"""The HTTP edge: a request's bytes out, a reply's bytes in, and what is known of how far it came."""

from __future__ import annotations

import math
import time
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self
from weakref import WeakSet

import aiohttp

from retention.core.model import NotConnected, Unclear
from retention.core.wire import REPLY_LIMIT, SUCCESS, decode
from retention.vendor.problems import why_not_connected, why_unclear

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp.abc import AbstractStreamWriter
    from aiohttp.client_proto import ResponseHandler
    from aiohttp.client_reqrep import ClientRequest
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace

    from retention.core.model import Answer, Reply

_HEADERS = {
    "Content-Type": "application/json",
    "Accept": "application/json",
    "Accept-Encoding": "identity",  # a reply of 64 KiB may not unpack into something else
    "User-Agent": "retention",
}


@dataclass(frozen=True, slots=True)
class Exchange:
    """An answer, and when on the monotonic clock, in seconds: None where nothing left, or nothing came back."""

    answer: Answer
    sent_at: float | None
    replied_at: float | None


@dataclass(slots=True)
class _Progress:
    """How far a request came. The connection decides: without one nothing can have happened.

    `withheld`: there was a connection, and the request did not go, because its time was over.
    """

    connected_at: float | None = None
    withheld: bool = False


_PROGRESS: ContextVar[_Progress] = ContextVar("progress")
"""Of the request that this task is making."""


class VendorClient:
    """Calls one partner's API. TLS is verified, no redirect is followed, and no proxy taken from the environment."""

    def __init__(self, *, timeout: float, concurrency: int) -> None:
        self._seconds = timeout
        self._concurrency = concurrency
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=_Connector(limit=self._concurrency + 8, keepalive_timeout=30),
            timeout=aiohttp.ClientTimeout(total=self._seconds),
            headers=_HEADERS,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            auto_decompress=False,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def post(self, url: str, body: Callable[[], bytes], *, until: float = math.inf) -> Exchange:
        """Send one request. Never raises for what the network or the vendor does; never repeats a request.

        Nothing leaves after `until`, in seconds on the monotonic clock, nor after the request's own timeout.
        The errors' own words are not passed on: they name the address, which is a secret.
        """
        assert self._session is not None
        progress = _Progress()
        _PROGRESS.set(progress)
        data = _TimelyBody(body(), progress, min(time.monotonic() + self._seconds, until))
        try:
            async with self._session.post(url, data=data, allow_redirects=False) as response:
                reply = await _read(response)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            if progress.connected_at is None or progress.withheld:
                return Exchange(NotConnected(why_not_connected(error)), None, None)
            return Exchange(Unclear(why_unclear(error)), progress.connected_at, None)
        return Exchange(reply, progress.connected_at, time.monotonic())


class _TimelyBody(aiohttp.BytesPayload):
    """Does not leave after its time, nor do the headers, which aiohttp sends together with it.

    A process that was frozen finds its own timeout only after what it was about to do, and whatever it had claimed may
    have been another's for long.
    """

    def __init__(self, body: bytes, progress: _Progress, until: float) -> None:
        super().__init__(body)
        self._progress = progress
        self._until = until

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        if time.monotonic() >= self._until:
            self._progress.withheld = True
            raise TimeoutError
        await super().write_with_length(writer, content_length)


class _Connector(aiohttp.TCPConnector):
    """Tells when a request has its connection: aiohttp's own tracing would cost as much as reading the reply.

    Reuses no connection on which something came unasked: it would be taken for the reply to the next request.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._used: WeakSet[ResponseHandler] = WeakSet()

    async def connect(
        self,
        req: ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - the name is aiohttp's
    ) -> Connection:
        while True:
            connection = await super().connect(req, traces, timeout)
            protocol = connection.protocol
            assert protocol is not None
            if protocol not in self._used or not protocol.should_close:
                self._used.add(protocol)
                _PROGRESS.get().connected_at = time.monotonic()
                return connection
            connection.close()


async def _read(response: aiohttp.ClientResponse) -> Reply:
    body = bytearray()
    if response.status in SUCCESS:
        while part := await response.content.read(REPLY_LIMIT + 1 - len(body)):
            body += part
    # A body that is not read to its end costs the connection: aiohttp closes it.
    whole = bytes(body) if len(body) <= REPLY_LIMIT else None
    return decode(response.status, response.headers, whole, datetime.now(UTC))
