"""Delivers notifications by webhooks, signed as https://www.standardwebhooks.com specifies."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self

import aiohttp

from retention.core.notifications.signature import signature, signing_key
from retention.core.sending.wire import SUCCESS
from retention.network_errors import why_not_connected, why_unclear

if TYPE_CHECKING:
    from collections.abc import Callable

TIMEOUT_S = 10.0
"""Seconds for one delivery, from the connection to the status."""


class Webhook:
    """Posts messages: verifies TLS, follows no redirect, and uses no proxy of the environment."""

    def __init__(self, timeout: float = TIMEOUT_S, clock: Callable[[], float] = time.time) -> None:
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            # Messages are rare: a connection that is kept open would be closed by the next one.
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
        """Send a message once; returns None if the receiver took it, else the problem, without the secret address."""
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
        except (aiohttp.ClientConnectorError, aiohttp.ClientSSLError, aiohttp.InvalidURL) as error:
            return why_not_connected(error)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            return why_unclear(error)
