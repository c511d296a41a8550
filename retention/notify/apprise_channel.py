"""Chat and mail, through apprise."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncio import Future

TIMEOUT_S = 30.0
"""Seconds for one try. Mail servers take their time."""


class AppriseChannel:
    """Sends messages to any service that apprise knows."""

    def __init__(self, timeout: float = TIMEOUT_S) -> None:
        self._timeout = timeout

    async def send(self, url: str, title: str, text: str) -> str | None:
        """Send a message once. Returns None where it was taken, else why not, in words that name no address.

        It is done in a thread that nobody waits for longer than the timeout, nor at the end of the process: what
        asyncio and concurrent.futures provide would hold up both.
        """
        loop = asyncio.get_running_loop()
        done: Future[str | None] = loop.create_future()

        def settle(problem: str | None) -> None:
            if not done.done():
                done.set_result(problem)

        def work() -> None:
            problem = _send(url, title, text)
            with suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(settle, problem)

        threading.Thread(target=work, name="retention-chat", daemon=True).start()
        try:
            return await asyncio.wait_for(done, self._timeout)
        except TimeoutError:
            return "no reply in time"


def _send(url: str, title: str, text: str) -> str | None:
    try:
        import apprise  # noqa: PLC0415 - an extra, and slow to import
    except ImportError:
        return "apprise is not installed: pip install 'retention[notify]'"
    try:
        # No plugins, storage or threads of its own. A redirected POST becomes a GET, which would pass for delivered.
        asset = apprise.AppriseAsset(
            app_id="retention", async_mode=False, http_redirects=False, interpret_emojis=False, service_timeout=0
        )
        service = apprise.Apprise.instantiate(url, asset=asset)
        if service is None:
            return "apprise knows no such service, or its address lacks something"
        sender = apprise.Apprise(asset=asset)
        sender.add(service)
        taken = sender.notify(
            title=title, body=text, body_format=apprise.NotifyFormat.TEXT, notify_type=apprise.NotifyType.WARNING
        )
    except Exception as error:  # noqa: BLE001 - a hundred plugins, and what they raise may quote the address
        return f"apprise failed: {type(error).__name__}"
    return None if taken else "the service did not take it"
