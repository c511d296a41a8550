"""Delivers notifications by chat and mail, through apprise.

apprise runs in a daemon thread, because an executor thread would delay the end of the process. It follows no redirect:
a redirected POST becomes a GET, and would count as delivered.
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asyncio import Future

TIMEOUT_S = 30.0
"""Seconds for one delivery: mail servers are slow."""


class AppriseChannel:
    """Sends messages to any service that apprise supports."""

    def __init__(self, timeout: float = TIMEOUT_S) -> None:
        self._timeout = timeout

    async def send(self, url: str, title: str, text: str) -> str | None:
        """Send a message once; returns None if the service took it, else the problem, without the secret address."""
        loop = asyncio.get_running_loop()
        done: Future[str | None] = loop.create_future()

        def resolve(problem: str | None) -> None:
            if not done.done():
                done.set_result(problem)

        def work() -> None:
            problem = _send(url, title, text)
            with suppress(RuntimeError):  # the event loop has ended meanwhile
                loop.call_soon_threadsafe(resolve, problem)

        threading.Thread(target=work, name="retention-chat", daemon=True).start()
        try:
            return await asyncio.wait_for(done, self._timeout)
        except TimeoutError:
            return "no reply in time"


def why_unusable(url: str) -> str | None:
    """Say why apprise cannot send to this address; None where it can try. Sends nothing."""
    try:
        return _service(url)[1]
    except Exception as error:  # noqa: BLE001 - a hundred plugins raise anything, and may quote the address
        return f"apprise failed: {type(error).__name__}"


def _send(url: str, title: str, text: str) -> str | None:
    try:
        sender, problem = _service(url)
        if sender is None:
            return problem
        import apprise  # noqa: PLC0415 - an extra, and slow to import

        taken = sender.notify(
            title=title, body=text, body_format=apprise.NotifyFormat.TEXT, notify_type=apprise.NotifyType.WARNING
        )
    except Exception as error:  # noqa: BLE001 - a hundred plugins raise anything, and may quote the address
        return f"apprise failed: {type(error).__name__}"
    return None if taken else "the service did not take it"


def _service(url: str) -> tuple[Any, str | None]:
    """Make a sender to one address; returns it, or None and the problem."""
    try:
        import apprise  # noqa: PLC0415 - an extra, and slow to import
    except ImportError:
        return None, "apprise is not installed: pip install 'retention[notify]'"
    # apprise gets no plugins, storage or threads of its own.
    asset = apprise.AppriseAsset(
        app_id="retention", async_mode=False, http_redirects=False, interpret_emojis=False, service_timeout=0
    )
    service = apprise.Apprise.instantiate(url, asset=asset)
    if service is None:
        return None, "apprise knows no such service, or its address lacks something"
    sender = apprise.Apprise(asset=asset)
    sender.add(service)
    return sender, None
