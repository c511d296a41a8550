"""The daemon: looks once a second what there is to do, does it, and drains when it is told to stop."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import psycopg

from retention.daemon.clock_gate import ClockGate
from retention.daemon.ledger_metrics import LedgerMetrics
from retention.daemon.run_supervisor import RunSupervisor
from retention.daemon.scheduler import Scheduler
from retention.daemon.stall_watch import StallWatch
from retention.daemon.systemd import notify, watchdog_interval
from retention.daemon.wakeups import Wakeups
from retention.errors import ConfigurationError, RetentionError
from retention.ledger import migrations
from retention.ledger.database_errors import UNAVAILABLE, BusyError, first_line
from retention.ledger.schedules import REQUESTED_BY
from retention.runs.model import RequestedBy
from retention.runs.scope import scope_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from uuid import UUID

    from retention.daemon.scheduler import ScheduleState
    from retention.daemon.services import DaemonServices
    from retention.exit_codes import ExitCode
    from retention.ledger.schedules import PendingWork
    from retention.metrics import Metrics
    from retention.notify.notifier import Notifier
    from retention.runs.model import Planned
    from retention.settings.model import Policy

LOOK = 1.0
"""Seconds between looks."""

PATIENCE = 10.0
"""Seconds that a look may take: a database that does not even refuse must not stop the loop."""

STILL = 60.0
"""Seconds without a turn of the loop after which the daemon is not alive any more."""

PLANS = 2
"""Schedules decided about at once: a plan may keep a connection busy for long, and replies have to be written."""


class Daemon:
    """One replica.

    `reload` reads the configuration anew, and raises ConfigurationError where it is no good. `signalled` tells the exit
    code of the signal that stopped the process; `drain_timeout` is in seconds.
    """

    def __init__(
        self,
        services: DaemonServices,
        metrics: Metrics,
        notifier: Notifier,
        reload: Callable[[], DaemonServices],
        signalled: Callable[[], ExitCode | None],
        drain_timeout: float,
    ) -> None:
        self._services = services
        self._reload = reload
        self._ledger_watch = LedgerMetrics(lambda: self._services, metrics)
        self._notifier = notifier
        self._drain_timeout = drain_timeout
        self._log = services.log
        self._run_supervisor = RunSupervisor(self._ledger_watch.ended, signalled, services.log)
        self._wake = asyncio.Event()
        self._wakeups = Wakeups(self._wake.set)
        self._schedules = services.schedules
        self._scheduler = Scheduler(self._schedules, services.tally, services.log, services.redactor.text)
        self._clock = ClockGate(
            services.clocks, services.run_ledger.clock, lambda: self._services.settings, services.log
        )
        self._stall_watch = StallWatch(services.stalls, services.log)
        self._planning = asyncio.Semaphore(PLANS)
        self._telling: asyncio.Task[None] | None = None
        self._away = False
        self._looked = False
        self._stopping = False
        self._reloaded = False
        self._turned_at = time.monotonic()

    def stop(self) -> None:
        """Drain: no request leaves after this, what is in flight is settled, and then `run` returns."""
        self._stopping = True
        self._run_supervisor.drain_group.stop()
        self._wake.set()

    def abort(self) -> None:
        """Do not even wait for that."""
        self._run_supervisor.drain_group.abort()

    def reload(self) -> None:
        """Take the configuration as it is now; one that is no good is refused, and the old one goes on."""
        notify("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")
        try:
            self._services = self._reload()
        except ConfigurationError as error:
            self._log.error("configuration.refused", problem=str(error))
        else:
            self._adopt()
            self._reloaded = True
            self._log.info("configuration.reloaded", policies=[*self._services.settings.policies])
            self._wake.set()
        notify("READY=1")

    def problem(self) -> str | None:
        """Say what stands still, if something does."""
        still = time.monotonic() - self._turned_at
        return f"nothing has turned for {still:.0f} s" if still > STILL else None

    async def unready(self) -> str | None:
        """Say why no work should be expected of this replica just now, if there is a reason."""
        if self._stopping:
            return "draining"
        if not self._looked:
            return "the ledger has not been looked at yet"
        try:
            async with asyncio.timeout(LOOK):
                await migrations.require_current(self._services.database)
        except (*UNAVAILABLE, TimeoutError):
            return "the database cannot be reached"
        except RetentionError as error:
            return str(error)
        return self._clock.problem

    async def begin(self) -> None:
        """Get ready to be asked, before anybody can ask."""
        self._ledger_watch.adopt()
        await self._ledger_watch.begin()

    async def run(self) -> None:
        """Work until stopped, and drain."""
        self._wakeups.start()
        self._adopt()
        aside = [asyncio.create_task(self._ledger_watch.run()), asyncio.create_task(self._show_life())]
        notify("READY=1")
        try:
            while not self._stopping:
                self._turned()
                await self._turn()
                await self._pause()
            notify("STOPPING=1")
            await self._run_supervisor.drain(self._drain_timeout, self._turned)
        finally:
            self._wakeups.stop()
            await self._run_supervisor.cut_off()
            if self._telling is not None:  # what is not told now is told by another, or after the next start
                aside.append(self._telling)
            for task in aside:
                task.cancel()
            await asyncio.wait(aside)

    def _adopt(self) -> None:
        self._ledger_watch.adopt()
        schedules = self._scheduler.set(self._services.settings.policies.values())
        self._wakeups.set(schedules)
        if not schedules:
            self._log.warning("schedule.none", detail="no policy has a schedule; this process only helps others")

    async def _turn(self) -> None:
        """Look, and set going what there is to do."""
        try:
            async with asyncio.timeout(PATIENCE):
                if await self._clock.correct():
                    self._scheduler.forget()
                if self._clock.closed() is None:
                    await self._scheduler.begin()
                    await self._stall_watch.look()
                look = await self._schedules.look([*self._services.settings.notify])
        except (TimeoutError, psycopg.Error) as error:  # one that refuses may be mended while this goes on
            if not self._away:
                event = "database.busy" if isinstance(error, BusyError) else "database.away"
                self._log.warning(event, problem=first_line(error) if str(error) else f"no answer for {PATIENCE:.0f} s")
            self._away = True
            return
        if self._away:
            self._away = False
            self._log.info("database.back")
        self._looked = True
        if self._clock.tell():
            self._scheduler.forget()  # and what came meanwhile is decided about as usual
        elif problem := self._clock.closed():
            self._scheduler.note(problem)
        else:
            self._act(look)

    def _act(self, look: PendingWork) -> None:
        for watch in self._scheduler.due(look.now):
            if problem := self._clock.closed(watch.policy.name):
                watch.problem = problem
                continue
            watch.busy = True
            self._run_supervisor.begin(self._fire(watch, look.now))
        if self._reloaded:
            self._reloaded = False
            self._run_supervisor.begin(self._hold_to_policies(look.runs))
        for run_id in look.runs:
            if self._run_supervisor.wants(run_id):
                runs = self._services.runs(self._run_supervisor.drain_group)
                self._run_supervisor.work_on(run_id, runs.join(run_id))
        if look.untold and (self._telling is None or self._telling.done()):
            self._telling = asyncio.create_task(self._tell())

    async def _hold_to_policies(self, runs: Sequence[UUID]) -> None:
        """After a reload, halt the runs whose policies have become stricter."""
        try:
            for run_id in runs:
                with suppress(RetentionError):  # it is for partners that are not configured here
                    await self._services.runs(self._run_supervisor.drain_group).hold_to_policy(run_id)
        except UNAVAILABLE:
            self._reloaded = True

    async def _fire(self, watch: ScheduleState, now: datetime) -> None:
        async with self._planning:
            if self._stopping:  # another replica decides, or the next start
                return
            planned = await self._scheduler.tick(watch, now, self._plan)
        if planned is not None and not self._stopping:
            self._run_supervisor.work_on(
                planned.run_id, self._services.runs(self._run_supervisor.drain_group).execute(planned)
            )

    async def _plan(self, policy: Policy, scheduled_for: datetime) -> Planned | None:
        scope = scope_of(self._services.settings, policy)
        runs = self._services.runs(self._run_supervisor.drain_group)
        return await runs.plan(
            policy, scope, self._services.terms(scope.partners), RequestedBy(REQUESTED_BY, scheduled_for=scheduled_for)
        )

    async def _tell(self) -> None:
        try:
            await self._notifier.once()
        except UNAVAILABLE:
            pass  # the next look finds it still untold
        except Exception:  # noqa: BLE001 - runs go on
            self._log.exception("notification.broken_off")

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(LOOK):
                await self._wake.wait()
        except TimeoutError:
            pass
        self._wake.clear()

    def _turned(self) -> None:
        self._turned_at = time.monotonic()

    async def _show_life(self) -> None:
        interval = watchdog_interval()
        while interval is not None:
            if self.problem() is None:
                notify("WATCHDOG=1")
            await asyncio.sleep(interval)
