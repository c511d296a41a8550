"""Builds and runs the daemon of `serve`."""

from __future__ import annotations

import dataclasses
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from retention.daemon.daemon import Daemon
from retention.daemon.health import listening, make_app
from retention.errors import ConfigurationError
from retention.exit_codes import ExitCode
from retention.metrics import Metrics
from retention.wiring.secrets import secret_sources
from retention.wiring.services import timeouts_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from retention.process.shutdown import ShutdownSignals
    from retention.settings.model import Settings
    from retention.wiring.services import Services


async def serve(
    services: Services,
    signals: ShutdownSignals,
    load_settings: Callable[[], Settings],
    *,
    address: tuple[str, int],
    drain_timeout: float,
    announce: Callable[[str], None],
) -> int:
    """Run the daemon until a signal comes; returns the exit code of the signal.

    `load_settings` reads the configuration again. `announce` gets the URL of health and metrics. `drain_timeout` is in
    seconds. Raises UsageError for an address that cannot be listened on.
    """
    current = services

    def reload() -> Services:
        nonlocal current
        settings = load_settings()
        if settings.database.dsn != services.settings.database.dsn:
            raise ConfigurationError("database.dsn: cannot change while `serve` runs; restart it instead")
        services.redactor.follow(*secret_sources(settings))
        services.clocks.set_timeouts(timeouts_of(settings))
        current = dataclasses.replace(services, settings=settings)
        return current

    metrics = Metrics(services.tally)
    metrics.watch_process()
    async with AsyncExitStack() as stack:
        notifier = await stack.enter_async_context(services.notifier(lambda: current.settings.notify))
        daemon = Daemon(services, metrics, notifier, reload, lambda: signals.code, drain_timeout)
        await daemon.begin()
        app = make_app(daemon.problem, daemon.unready, metrics)
        url = await stack.enter_async_context(listening(app, *address))
        announce(url)
        services.log.info("serve.started", url=url, replica=services.replica)
        with signals.drain_on_signal(daemon):
            signals.listen_for_hangup(daemon.reload)
            await daemon.run()
    return signals.code or ExitCode.DONE
