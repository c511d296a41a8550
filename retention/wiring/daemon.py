"""Builds and runs the daemon of `serve`."""

from __future__ import annotations

import dataclasses
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING

from retention.daemon.clock_gate import ClockGate
from retention.daemon.daemon import Daemon
from retention.daemon.health import listening, make_app
from retention.daemon.ledger_metrics import LedgerMetrics
from retention.daemon.live_configuration import LiveConfiguration
from retention.daemon.report_maker import ReportMaker
from retention.daemon.report_work import ReportWork
from retention.daemon.run_supervisor import RunSupervisor
from retention.daemon.scheduled_reports import ScheduledReports
from retention.daemon.scheduled_runs import ScheduledRuns
from retention.daemon.stall_watch import StallWatch
from retention.errors import ConfigurationError
from retention.exit_codes import ExitCode
from retention.ledger.policy_facts import PolicyFacts
from retention.ledger.scheduled_reports import ReportStore
from retention.metrics import Metrics
from retention.process.drain_group import DrainGroup
from retention.wiring.secrets import secret_sources
from retention.wiring.services import configured_of, timeouts_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from retention.process.shutdown import ShutdownSignals
    from retention.runs.service import RunService
    from retention.settings.model import Settings
    from retention.wiring.services import Services


async def serve(
    services: Services,
    signals: ShutdownSignals,
    load_settings: Callable[[], Settings],
    *,
    address: tuple[str, int],
    drain_timeout_s: float,
    announce: Callable[[str], None],
) -> int:
    """Run the daemon until a signal comes; returns the exit code of the signal.

    `load_settings` reads the configuration again. `announce` gets the URL of health and metrics. Raises UsageError for
    an address that cannot be listened on.
    """
    metrics = Metrics(services.counters)
    metrics.watch_process(version("retention"))
    async with open_daemon(services, metrics, load_settings, lambda: signals.code, drain_timeout_s) as daemon:
        await daemon.prepare()

        async def readiness_problem() -> str | None:
            return await daemon.readiness_problem() or (services.fleet.problem if services.fleet else None)

        app = make_app(daemon.liveness_problem, readiness_problem, metrics)
        async with listening(app, *address) as url:
            announce(url)
            services.log.info("serve.started", url=url, replica=services.replica)
            with signals.drain_on_signal(daemon):
                signals.on_hangup(daemon.reload)
                await daemon.run()
    return signals.code or ExitCode.DONE


@asynccontextmanager
async def open_daemon(
    services: Services,
    metrics: Metrics,
    load_settings: Callable[[], Settings],
    signalled: Callable[[], ExitCode | None],
    drain_timeout_s: float,
) -> AsyncIterator[Daemon]:
    """Yield a daemon with its parts; `signalled` gives the exit code of the signal that stopped the process."""
    drain_group = DrainGroup(signalled)

    def make_runs(settings: Settings) -> RunService:
        return dataclasses.replace(services, settings=settings).runs(drain_group)

    configuration = LiveConfiguration(services.settings, _checked_load(services, load_settings), make_runs)

    async def expire_approvals() -> None:
        await configuration.runs.expire_approvals()

    log, run_ledger, schedules = services.log, services.run_ledger, services.schedules
    facts = PolicyFacts(services.database)
    ledger_metrics = LedgerMetrics(configuration, facts, run_ledger, services.evidence, services.pauses, metrics, log)
    async with services.notifier(lambda: configuration.settings.notify) as notifier:
        yield Daemon(
            configuration,
            services.database,
            schedules,
            ScheduledRuns(schedules, services.checkpoints, services.counters, services.redactor.text, log),
            _report_work(services, configuration),
            RunSupervisor(drain_group, ledger_metrics.record_result, log),
            ClockGate(services.clocks, run_ledger.clock, configuration, log),
            StallWatch(services.stalls, expire_approvals, services.checkpoints, log),
            ledger_metrics,
            notifier,
            log,
            drain_timeout_s,
        )


def _report_work(services: Services, configuration: LiveConfiguration) -> ReportWork:
    dsn = services.settings.database.dsn
    store, redact, log = ReportStore(services.database, services.replica), services.redactor.text, services.log
    maker = ReportMaker(store, dsn.reveal if dsn else str, lambda: configured_of(configuration.settings), redact, log)
    return ReportWork(ScheduledReports(services.schedules, store, redact, log), maker, log)


def _checked_load(services: Services, load_settings: Callable[[], Settings]) -> Callable[[], Settings]:
    """Load settings that this process can put into force, and let redaction and clocks follow them."""

    def checked() -> Settings:
        settings = load_settings()
        if settings.database.dsn != services.settings.database.dsn:
            raise ConfigurationError("database.dsn: cannot change while `serve` runs; restart it instead")
        if settings.evidence != services.settings.evidence:
            raise ConfigurationError("evidence: cannot change while `serve` runs; restart it instead")
        services.redactor.follow(*secret_sources(settings))
        services.clocks.set_timeouts(timeouts_of(settings))
        return settings

    return checked
