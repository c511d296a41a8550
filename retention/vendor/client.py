"""The HTTP edge: a request's bytes out, a reply's bytes in, and what is known of how far it came."""

from __future__ import annotations

import math
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple, Self
from weakref import WeakSet

import aiohttp

from retention.core.model import NotConnected, Unclear
from retention.core.wire import REPLY_LIMIT, SUCCESS, decode
from retention.vendor.deadlines import Deadlines
from retention.vendor.problems import why_not_connected, why_unclear

if TYPE_CHECKING:
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


class Exchange(NamedTuple):
    """An answer, and when on the monotonic clock, in seconds: None where nothing left, or nothing came back."""

    answer: Answer
    sent_at: float | None
    replied_at: float | None


class VendorClient:
    """Calls one partner's API. TLS is verified, no redirect is followed, and no proxy taken from the environment."""

    def __init__(self, *, timeout: float, concurrency: int) -> None:
        self._seconds = timeout
        self._concurrency = concurrency
        self._session: aiohttp.ClientSession | None = None
        self._deadlines: Deadlines | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=_Connector(limit=self._concurrency + 8, keepalive_timeout=30),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),  # ours ends them, see Deadlines
            headers=_HEADERS,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            auto_decompress=False,
        )
        self._deadlines = Deadlines(self._seconds)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None and self._deadlines is not None:
            self._deadlines.close()
            await self._session.close()

    async def post(self, url: str, body: bytes, *, until: float = math.inf) -> Exchange:
        """Send one request. Never raises for what the network or the vendor does; never repeats a request.

        Nothing leaves after `until`, in seconds on the monotonic clock, nor after the request's own timeout.
        The errors' own words are not passed on: they name the address, which is a secret.
        """
        assert self._session is not None
        assert self._deadlines is not None
        request = _Request(body, min(time.monotonic() + self._seconds, until))
        try:
            with self._deadlines.running():
                response = await self._session.post(url, data=request, allow_redirects=False)
                try:
                    reply = await _read(response)
                finally:
                    response.release()  # a body that was not read to its end costs the connection: aiohttp closes it
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            if request.connected_at is None or request.withheld:
                return Exchange(NotConnected(why_not_connected(error)), None, None)
            return Exchange(Unclear(why_unclear(error)), request.connected_at, None)
        return Exchange(reply, request.connected_at, time.monotonic())


class _Request(aiohttp.BytesPayload):
    """A request's body, and how far it came. The connection decides: without one nothing can have happened.

    Does not leave after its time, nor do the headers, which aiohttp sends together with it. A process that was frozen
    finds its own timeout only after what it was about to do, and whatever it had claimed may have been another's for
    long. `withheld`: there was a connection, and it did not go, because its time was over.
    """

    def __init__(self, body: bytes, until: float) -> None:
        super().__init__(body)
        self.connected_at: float | None = None
        self.withheld = False
        self._until = until

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        if time.monotonic() >= self._until:
            self.withheld = True
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
                if isinstance(req.body, _Request):
                    req.body.connected_at = time.monotonic()
                return connection
            connection.close()


async def _read(response: aiohttp.ClientResponse) -> Reply:
    body: bytes | None = b""
    if response.status in SUCCESS:
        length = None if "Transfer-Encoding" in response.headers else response.content_length
        body = await response.read() if length is not None and length <= REPLY_LIMIT else await _bounded(response)
    return decode(response.status, response.headers, body, datetime.now(UTC))


async def _bounded(response: aiohttp.ClientResponse) -> bytes | None:
    """A body whose length is not told beforehand, or too great: None where it is longer than allowed."""
    body = bytearray()
    while part := await response.content.read(REPLY_LIMIT + 1 - len(body)):
        body += part
    return bytes(body) if len(body) <= REPLY_LIMIT else None
