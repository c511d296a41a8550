"""Builds the engine of a run, and shares it with helper processes where there are some."""

from __future__ import annotations

import time
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from retention.engine.clock_watch import ClockWatch
from retention.engine.counters import RunCounters
from retention.engine.engine import Engine
from retention.fleet.messages import Work
from retention.ledger.engine_ledger import EngineLedger
from retention.render.progress import is_watched, progress
from retention.runs.planning import log_stalled
from retention.wiring.partners import open_partner
from retention.wiring.secrets import secret_sources

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
    from uuid import UUID

    from structlog.typing import FilteringBoundLogger

    from retention.engine.engine import EngineResult
    from retention.fleet.shared_engine import SharedEngine
    from retention.process.shutdown import DrainScope
    from retention.settings.policy import Policy
    from retention.wiring.services import Services


async def run_engine(
    services: Services,
    scope: DrainScope,
    show: bool,
    notify: Callable[[], Awaitable[None]] | None,
    run_id: UUID,
    policy: Policy,
    passed: Sequence[str],
) -> EngineResult:
    """Work on a run until it ends for this process and its helpers. `show` shows its progress on a terminal.

    `notify` is called once the run stalls. A daemon needs none: its next poll finds stalled runs.
    """
    stats = RunCounters(policy.name, services.counters)
    log = services.log.bind(run_id=str(run_id), policy=policy.name)

    async def stalled() -> None:
        log_stalled(services.log, await services.stalls.mark_stalled_runs(run_id))
        if notify is not None:
            await notify()

    async with open_engine(services, run_id, policy, passed, stats, log, stalled) as engine:
        worker: Engine | SharedEngine = engine
        if services.fleet is not None:
            worker = services.fleet.share(engine, Work(run_id, policy, passed, services.settings), stats)
        with scope.drain_on_signal(worker):
            if not (show and is_watched()):
                return await worker.run()
            summary = await services.run_ledger.summarize_run(run_id)
            async with progress(stats, summary.rounds, summary.done):
                return await worker.run()


@asynccontextmanager
async def open_engine(
    services: Services,
    run_id: UUID,
    policy: Policy,
    passed: Sequence[str],
    stats: RunCounters,
    log: FilteringBoundLogger,
    stalled: Callable[[], Awaitable[None]] | None = None,
) -> AsyncIterator[Engine]:
    """Yield the engine of a run, with its partners' gateways. `passed`: the rails that no longer halt the run."""
    ledger = EngineLedger.of_run(
        services.database,
        run_id,
        services.replica,
        policy.idle_longer_than.total_seconds() if policy.idle_longer_than else None,
        time.monotonic,
        services.clocks,
        services.server,
    )
    await ledger.first_id.find(services.database, run_id, services.settings.partners_of(policy))
    async with AsyncExitStack() as stack:
        stack.enter_context(services.redactor.follow_meanwhile(*secret_sources(services.settings)))
        partners = [
            await open_partner(stack, services.settings, name, policy, services.redactor)
            for name in services.settings.partners_of(policy)
        ]
        yield Engine(
            ledger,
            partners,
            stats,
            log,
            run_id=run_id,
            max_failure_ratio=policy.max_failure_ratio,
            max_conflicts=policy.max_conflicts,
            overrides=passed,
            log_user_ids=services.settings.log_user_ids,
            clock=ClockWatch(
                ledger,
                services.clocks,
                partners,
                log,
                limit=services.settings.clock_limit(policy.name),
                deadline=policy.deadline.total_seconds() if policy.deadline else None,
            ),
            stalled=stalled,
        )
