"""A daemon in the test's own process: real database and vendor, no loop, so that a test makes each pass itself."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog
from structlog.testing import LogCapture

from retention.metrics import Metrics
from retention.settings.load import load_settings
from retention.wiring.daemon import open_daemon
from retention.wiring.secrets import redactor_of
from retention.wiring.services import open_services

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from retention.daemon.daemon import Daemon
    from retention.daemon.pass_counts import PassCounts
    from retention.settings.model import Settings
    from support.world import World

DRAIN_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class OpenDaemon:
    """A daemon and its log."""

    daemon: Daemon
    log: LogCapture

    async def work_once(self) -> PassCounts:
        """Make one pass, and wait until the work that it started has ended."""
        counts = await self.daemon.run_once()
        await self.daemon.drain()
        return counts

    async def notified(self) -> None:
        """Make a pass, and wait until its notifications are sent."""
        await self.daemon.run_once()
        await self.daemon.drain()
        if self.daemon._notifying is not None:  # noqa: SLF001
            await self.daemon._notifying  # noqa: SLF001

    def logged(self, event: str) -> list[Any]:
        """The lines of one log event."""
        return [entry for entry in self.log.entries if entry["event"] == event]


@asynccontextmanager
async def daemon_of(world: World) -> AsyncIterator[OpenDaemon]:
    """Yield a daemon with the world's configuration; `reload` reads the world's configuration anew."""

    def load() -> Settings:
        return load_settings(world.configure(), {}, world.folder)

    log, settings = LogCapture(), load()
    logger = structlog.wrap_logger(
        structlog.PrintLogger(), [log], wrapper_class=structlog.make_filtering_bound_logger("debug")
    )
    async with open_services(settings, logger, redactor_of(settings)) as services:
        metrics = Metrics(services.counters)
        async with open_daemon(services, metrics, load, lambda: None, DRAIN_TIMEOUT_S) as daemon:
            await daemon.prepare()
            yield OpenDaemon(daemon, log)
