"""Signed webhooks, as https://www.standardwebhooks.com has them."""

from __future__ import annotations

import errno
import os
import socket
import ssl
import time
from typing import TYPE_CHECKING, Self

import aiohttp

from retention.core.notice import signature, signing_key
from retention.core.wire import SUCCESS

if TYPE_CHECKING:
    from collections.abc import Callable

TIMEOUT = 10.0
"""Seconds for one try, from the connection to the status."""


class Webhook:
    """Posts messages. TLS is verified, no redirect is followed, and no proxy taken from the environment."""

    def __init__(self, timeout: float = TIMEOUT, clock: Callable[[], float] = time.time) -> None:
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            # Messages are rare: a connection that was kept would be found closed by then.
            connector=aiohttp.TCPConnector(force_close=True),
            timeout=self._timeout,
            headers={"Content-Type": "application/json", "User-Agent": "retention"},
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def post(self, url: str, key: str, message_id: str, body: str) -> str | None:
        """Send a message once. Returns None where it was taken, else why not, in words that name no address."""
        assert self._session is not None
        data, timestamp = body.encode(), int(self._clock())
        headers = {
            "webhook-id": message_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signature(signing_key(key), message_id, timestamp, data),
        }
        try:
            async with self._session.post(url, data=data, headers=headers, allow_redirects=False) as response:
                return None if response.status in SUCCESS else f"HTTP status {response.status}"
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            return _why(error)


def _why(error: Exception) -> str:
    """What the network did. The errors' own words are not passed on: they name the address, which is a secret."""
    match error:
        case TimeoutError():
            return "no reply in time"
        case aiohttp.InvalidURL():
            return "no connection: the address is no URL"
        case aiohttp.ClientConnectorError() | aiohttp.ClientSSLError():
            return f"no connection: {_cause(error)}"
        case aiohttp.ServerDisconnectedError():
            return "the connection was closed before a reply"
        case aiohttp.ClientResponseError():
            return "the reply is not HTTP"
    return f"the connection broke: {_cause(error)}"


def _cause(error: Exception) -> str:
    cause = getattr(error, "os_error", None) or error
    if isinstance(error, aiohttp.ClientSSLError) or isinstance(cause, ssl.SSLError):
        return "the TLS handshake failed"
    if isinstance(cause, socket.gaierror):
        return "the name could not be resolved"
    number = getattr(cause, "errno", None)
    if isinstance(number, int) and number in errno.errorcode:
        return os.strerror(number).lower()
    return type(cause).__name__
