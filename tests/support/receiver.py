"""A receiver of webhooks: a real HTTP server, and a notifier that delivers to it."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import structlog
from aiohttp import web
from structlog.testing import LogCapture

from retention.ledger.notifications import NotificationOutbox
from retention.notify.apprise_channel import AppriseChannel
from retention.notify.notifier import Notifier
from retention.notify.webhook import Webhook
from retention.redaction import Redactor
from retention.settings.model import Target

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from retention.ledger.database import Database

KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SECRET = "token-9d41c7b2e6"
"""A secret that must be in no message."""


@dataclass(frozen=True, slots=True)
class Received:
    """One request that arrived."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """Its body, read as JSON."""
        return json.loads(self.body)


class Receiver:
    """Answers with `answers` in turn, then with 200; it does not answer while `hanging`."""

    def __init__(self, *answers: int, hanging: bool = False) -> None:
        self.requests: list[Received] = []
        self.hanging = hanging
        self._answers = list(answers)
        self._came = asyncio.Event()
        self._over = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._runner = web.ServerRunner(web.Server(self._take, access_log=None))
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        self.address = f"{host}:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._over.set()
        await self._runner.cleanup()

    async def came(self) -> None:
        """Wait for the first request."""
        await self._came.wait()

    async def _take(self, request: web.BaseRequest) -> web.StreamResponse:
        self.requests.append(Received(request.path_qs, dict(request.headers), await request.read()))
        self._came.set()
        if self.hanging:
            await self._over.wait()
        status = self._answers.pop(0) if self._answers else 200
        return web.Response(status=status, headers={"Location": "/elsewhere", "Set-Cookie": "a=b"})


def webhook(receiver: Receiver, name: str = "ops", **more: object) -> Target:
    """A target with a webhook."""
    address = f"http://{receiver.address}/hook?from=retention"
    return Target.model_validate({"name": name, "webhook": address, "signing_key": KEY, **more})


def notices_of(database: Database) -> NotificationOutbox:
    """The outbox of a ledger, with one secret to mask."""
    return NotificationOutbox(database, Redactor(lambda: [SECRET], set).text)


@asynccontextmanager
async def notifier(
    database: Database, *targets: Target, cut_after: float = 60.0, log: LogCapture | None = None
) -> AsyncIterator[Notifier]:
    """Yield a notifier that delivers to these targets, and logs into `log`."""
    known = {target.name: target for target in targets}
    logger = structlog.wrap_logger(
        structlog.PrintLogger(), [log or LogCapture()], structlog.make_filtering_bound_logger("debug")
    )
    async with Webhook(cut_after) as sender:
        yield Notifier(notices_of(database), lambda: known, sender, AppriseChannel(cut_after), logger)
