"""Serves health and metrics over HTTP."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from aiohttp import web

from retention.errors import UsageError
from retention.metrics import CONTENT_TYPE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from retention.metrics import Metrics


def make_app(
    liveness_problem: Callable[[], str | None],
    readiness_problem: Callable[[], Awaitable[str | None]],
    metrics: Metrics,
) -> web.Application:
    """Build the HTTP application.

    `liveness_problem` says why the process should be restarted, `readiness_problem` why no work can be expected of it
    now; None means that all is well.
    """

    async def healthz(_request: web.Request) -> web.Response:
        return _answer(liveness_problem())

    async def readyz(_request: web.Request) -> web.Response:
        return _answer(await readiness_problem())

    async def show_metrics(_request: web.Request) -> web.Response:
        return web.Response(body=metrics.text(), headers={"Content-Type": CONTENT_TYPE})

    app = web.Application()
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", show_metrics)
    return app


@asynccontextmanager
async def listening(app: web.Application, host: str, port: int) -> AsyncIterator[str]:
    """Serve at an address and yield the URL; port 0 is any free port. Raises UsageError if the address is taken."""
    runner = web.AppRunner(app, access_log=None, handle_signals=False)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        try:
            await site.start()
        except OSError as error:
            raise UsageError(f"--http {host}:{port}: {error.strerror}; choose another address") from None
        bound = runner.addresses[0]
        shown = f"[{bound[0]}]" if ":" in bound[0] else bound[0]
        yield f"http://{shown}:{bound[1]}"
    finally:
        await runner.cleanup()


def _answer(problem: str | None) -> web.Response:
    return web.Response(text=f"{problem or 'ok'}\n", status=503 if problem else 200)
