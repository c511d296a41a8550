"""The daemon: one pass each second over the ledger starts the work that is there; a stop drains it.

A daemon that cannot start ends with its problem (exit code 5 without a database, 2 without the schema), because its
supervisor starts it again. Once up, it outlives both: a pass that fails is repeated a second later.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import psycopg

from retention.daemon.liveness import Liveness
from retention.daemon.pass_counts import PassCounts
from retention.daemon.schedule_rows import register_schedules
from retention.daemon.scheduler import policy_scheduler
from retention.daemon.systemd import notify
from retention.daemon.wakeups import Wakeups
from retention.errors import ConfigurationError, RetentionError
from retention.ledger import migrations
from retention.ledger.database_errors import UNAVAILABLE, BusyError, first_line

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from structlog.typing import FilteringBoundLogger

    from retention.daemon.clock_gate import ClockGate
    from retention.daemon.ledger_metrics import LedgerMetrics
    from retention.daemon.live_configuration import LiveConfiguration
    from retention.daemon.report_work import ReportWork
    from retention.daemon.run_supervisor import RunSupervisor
    from retention.daemon.scheduled_runs import ScheduledRuns
    from retention.daemon.scheduler import Due
    from retention.daemon.stall_watch import StallWatch
    from retention.ledger.database import Database
    from retention.ledger.schedules import PendingWork, ScheduleStore
    from retention.notify.notifier import Notifier
    from retention.settings.policy import Policy

POLL_INTERVAL_S = 1.0
"""Seconds between two passes if no schedule wakes the daemon earlier."""

POLL_TIMEOUT_S = 10.0
"""Seconds that a pass may wait for the ledger: a database that does not even refuse must not stop the loop."""

CONCURRENT_PLANS = 2
"""Plans made at a time: a plan may keep a connection busy for long, and replies have to be written meanwhile."""


class Daemon:
    """One replica. Its parts are built for it; `drain_timeout_s` is how long a stop waits for work in progress."""

    def __init__(
        self,
        configuration: LiveConfiguration,
        database: Database,
        schedules: ScheduleStore,
        scheduled_runs: ScheduledRuns,
        reports: ReportWork,
        supervisor: RunSupervisor,
        clock_gate: ClockGate,
        stall_watch: StallWatch,
        ledger_metrics: LedgerMetrics,
        notifier: Notifier,
        log: FilteringBoundLogger,
        drain_timeout_s: float,
    ) -> None:
        self._configuration = configuration
        self._database = database
        self._schedules = schedules
        self._scheduled_runs = scheduled_runs
        self._reports = reports
        self._supervisor = supervisor
        self._clock_gate = clock_gate
        self._stall_watch = stall_watch
        self._ledger_metrics = ledger_metrics
        self._notifier = notifier
        self._log = log
        self._drain_timeout_s = drain_timeout_s
        self._scheduler = policy_scheduler()
        self._schedulers = (self._scheduler, reports.scheduler)
        self._wake = asyncio.Event()
        self._wakeups = Wakeups(self._wake.set)
        self._liveness = Liveness()
        self._plan_slots = asyncio.Semaphore(CONCURRENT_PLANS)
        self._notifying: asyncio.Task[None] | None = None
        self._database_away = False
        self._polled = False
        self._stopping = False
        self._policies_changed = False

    def stop(self) -> None:
        """Drain: send no further request, settle the requests in flight, then let `run` return."""
        self._stopping = True
        self._supervisor.drain_group.stop()
        self._reports.stop()
        self._wake.set()

    def abort(self) -> None:
        """End without settling the requests in flight."""
        self._supervisor.drain_group.abort()

    def reload(self) -> None:
        """Put the present configuration into force; one that cannot be used is logged, and the old one stays."""
        notify("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")
        try:
            self._configuration.reload()
        except ConfigurationError as error:
            self._log.error("configuration.refused", problem=str(error))
        else:
            self._apply_settings()
            self._policies_changed = True
            self._log.info("configuration.reloaded", policies=[*self._configuration.settings.policies])
            self._wake.set()
        notify("READY=1")

    def liveness_problem(self) -> str | None:
        """Say for how long the loop has stood still; None while it works."""
        return self._liveness.problem()

    async def readiness_problem(self) -> str | None:
        """Say why this replica cannot be expected to work now; None if it can."""
        if self._stopping:
            return "draining"
        if not self._polled:
            return "the ledger has not been looked at yet"
        try:
            async with asyncio.timeout(POLL_INTERVAL_S):
                await migrations.require_current(self._database)
        except (*UNAVAILABLE, TimeoutError):
            return "the database cannot be reached"
        except RetentionError as error:
            return str(error)
        return self._clock_gate.problem

    async def prepare(self) -> None:
        """Follow the configured schedules, and read the metrics' first values before a scrape can ask for them."""
        self._apply_settings()
        await self._ledger_metrics.read_last_runs()

    async def run(self) -> None:
        """Make passes until stopped, then drain. Call `prepare` first."""
        self._wakeups.start()
        helpers = [
            asyncio.create_task(self._ledger_metrics.run()),
            asyncio.create_task(self._liveness.feed_watchdog()),
        ]
        notify("READY=1")
        try:
            while not self._stopping:
                self._liveness.beat()
                await self.run_once()
                await self._wait_for_wakeup()
            notify("STOPPING=1")
            await self.drain()
        finally:
            self._wakeups.stop()
            self._reports.stop()
            await self._supervisor.cancel_all()
            if self._notifying is not None:  # another process, or the next start, sends the rest
                helpers.append(self._notifying)
            for task in helpers:
                task.cancel()
            await asyncio.wait(helpers)

    async def run_once(self) -> PassCounts:
        """Poll the ledger, and start the work that is there; the supervisor's tasks do it.

        A pass without an answer from the ledger starts nothing.
        """
        work = await self._poll()
        if work is None:
            return PassCounts()
        if self._clock_gate.report_change():
            self._reread()  # times that came meanwhile are decided as usual
            return PassCounts()
        if problem := self._clock_gate.closed_because():
            for scheduler in self._schedulers:
                scheduler.block(problem)
            return PassCounts()
        due = self._start_due(work) + self._reports.start(work, self._supervisor.spawn)
        if self._policies_changed:
            self._policies_changed = False
            self._supervisor.spawn(self._halt_stricter(work.runs))
        return PassCounts(due, self._adopt(work.runs), self._start_notifying(work))

    async def drain(self) -> None:
        """Wait until the work that passes started has ended, and abort it after the drain's timeout."""
        await self._supervisor.drain(self._drain_timeout_s, self._liveness.beat)
        await self._reports.wait(self._drain_timeout_s)

    async def _poll(self) -> PendingWork | None:
        """Register schedules, check for stalled runs, and read the pending work; None if the ledger does not answer."""
        try:
            async with asyncio.timeout(POLL_TIMEOUT_S):
                if await self._clock_gate.correct_times():
                    self._reread()
                if self._clock_gate.closed_because() is None:
                    for scheduler in self._schedulers:
                        await register_schedules(self._schedules, scheduler)
                    await self._stall_watch.check()
                work = await self._schedules.poll([*self._configuration.settings.notify])
        except (TimeoutError, psycopg.Error) as error:  # a refusal may be mended while the daemon runs
            if not self._database_away:
                event = "database.busy" if isinstance(error, BusyError) else "database.away"
                problem = first_line(error) if str(error) else f"no answer for {POLL_TIMEOUT_S:.0f} s"
                self._log.warning(event, problem=problem)
            self._database_away = True
            return None
        if self._database_away:
            self._database_away = False
            self._log.info("database.back")
        self._polled = True
        return work

    def _start_due(self, work: PendingWork) -> int:
        """Start planning the due runs, each in a task; returns how many."""
        started = 0
        for due in self._scheduler.due(work.now):
            if problem := self._clock_gate.closed_because(due.state.entry.name):
                due.state.block(problem)
                continue
            due.state.begin()
            self._supervisor.spawn(self._run_due(due))
            started += 1
        return started

    async def _run_due(self, due: Due[Policy]) -> None:
        async with self._plan_slots:
            if self._stopping:  # another replica, or the next start, plans it
                return
            planned = await self._scheduled_runs.plan(due, self._configuration.runs)
        if planned is not None and not self._stopping:
            self._supervisor.start(planned.run_id, self._configuration.runs.execute(planned))

    def _adopt(self, run_ids: Sequence[UUID]) -> int:
        """Start work on the runs that this process can work on; returns how many."""
        startable = [run_id for run_id in run_ids if self._supervisor.can_start(run_id)]
        for run_id in startable:
            self._supervisor.start(run_id, self._configuration.runs.join(run_id))
        return len(startable)

    async def _halt_stricter(self, run_ids: Sequence[UUID]) -> None:
        """Halt the runs whose policies became stricter with a reload."""
        try:
            for run_id in run_ids:
                with suppress(RetentionError):  # its partners are not configured here
                    await self._configuration.runs.hold_to_policy(run_id)
        except UNAVAILABLE:
            self._policies_changed = True

    def _start_notifying(self, work: PendingWork) -> bool:
        if not work.untold or (self._notifying is not None and not self._notifying.done()):
            return False
        self._notifying = asyncio.create_task(self._notify())
        return True

    async def _notify(self) -> None:
        try:
            await self._notifier.run_once()
        except UNAVAILABLE:
            pass  # the next pass finds the notification still to be sent
        except Exception:  # noqa: BLE001 - runs continue without notifications
            self._log.exception("notification.crashed")

    async def _wait_for_wakeup(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(POLL_INTERVAL_S):
                await self._wake.wait()
        self._wake.clear()

    def _apply_settings(self) -> None:
        self._ledger_metrics.apply_settings()
        settings = self._configuration.settings
        schedules = self._scheduler.configure(settings.policies.values())
        reports = self._reports.scheduler.configure(settings.reports.values())
        self._wakeups.follow(schedules | {f"[reports] {name}": times for name, times in reports.items()})
        if not schedules and not reports:
            self._log.warning("schedule.none", detail="no policy has a schedule; this process only helps others")

    def _reread(self) -> None:
        for scheduler in self._schedulers:
            scheduler.reread()
