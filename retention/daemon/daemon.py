"""The daemon: looks once a second what there is to do, does it, and drains when it is told to stop."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

from retention.core.summary import exit_code
from retention.daemon.clockwork import Clockwork
from retention.daemon.crew import Crew
from retention.daemon.systemd import notify, watchdog_interval
from retention.daemon.timetable import Timetable
from retention.errors import ConfigurationError, RetentionError
from retention.ledger import migrations
from retention.ledger.database import AWAY
from retention.ledger.schedules import REQUESTED_BY
from retention.runs import Order
from retention.scope import scope_of

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from datetime import datetime
    from uuid import UUID

    from structlog.typing import FilteringBoundLogger

    from retention.daemon.timetable import Watch
    from retention.engine.stats import Tally
    from retention.ledger.database import Database
    from retention.ledger.runs import RunLedger
    from retention.ledger.schedules import Look, Schedules
    from retention.ledger.work import LaneTerms
    from retention.log import Redactor
    from retention.metrics import Metrics
    from retention.notify.herald import Herald
    from retention.runs import Finished, Planned, Runs
    from retention.settings import Policy, Settings
    from retention.signals import Workplace

LOOK = 1.0
"""Seconds between looks."""

PATIENCE = 10.0
"""Seconds that a look may take: a database that does not even refuse must not stop the loop."""

STILL = 60.0
"""Seconds without a turn of the loop after which the daemon is not alive any more."""

PLANS = 2
"""Plans made at once: each may keep a connection busy for long, and replies have to be written meanwhile."""

RETRY = 30.0
"""Seconds before this process goes back to a run that it could not work on."""

LEAVE = 2.0
"""Seconds that what is cut off is given to end."""


class House(Protocol):
    """What the daemon is given to work with, put together for the configuration of the moment."""

    @property
    def settings(self) -> Settings:
        """The configuration."""

    @property
    def database(self) -> Database:
        """The database."""

    @property
    def log(self) -> FilteringBoundLogger:
        """The log."""

    @property
    def redactor(self) -> Redactor:
        """What keeps secrets out of the ledger."""

    @property
    def tally(self) -> Tally:
        """What the process has done."""

    @property
    def schedules(self) -> Schedules:
        """The ledger's schedules."""

    @property
    def run_ledger(self) -> RunLedger:
        """The ledger's runs."""

    def terms(self, names: Sequence[str]) -> list[LaneTerms]:
        """The terms on which those partners are called."""

    def runs(self, place: Workplace) -> Runs:
        """Makes runs."""


class Daemon:
    """One replica.

    `reload` reads the configuration anew, and raises ConfigurationError where it is no good. `signalled` tells the exit
    code of the signal that stopped the process; `drain_timeout` is in seconds.
    """

    def __init__(
        self,
        house: House,
        metrics: Metrics,
        herald: Herald,
        reload: Callable[[], House],
        signalled: Callable[[], int | None],
        drain_timeout: float,
    ) -> None:
        self._house = house
        self._reload = reload
        self._metrics = metrics
        self._herald = herald
        self._drain_timeout = drain_timeout
        self._log = house.log
        self._crew = Crew(signalled)
        self._wake = asyncio.Event()
        self._clockwork = Clockwork(self._wake.set)
        self._timetable = Timetable(house.schedules, house.tally, house.log, house.redactor.text)
        self._planning = asyncio.Semaphore(PLANS)
        self._tasks: set[asyncio.Task[None]] = set()
        self._working: set[UUID] = set()
        self._rests: dict[UUID, float] = {}
        self._telling: asyncio.Task[None] | None = None
        self._away = False
        self._stopping = False
        self._turned_at = time.monotonic()

    def stop(self) -> None:
        """Drain: no request leaves after this, what is in flight is settled, and then `run` returns."""
        self._stopping = True
        self._crew.stop()
        self._wake.set()

    def die(self) -> None:
        """Do not even wait for that."""
        self._crew.die()

    def reload(self) -> None:
        """Take the configuration as it is now; one that is no good is refused, and the old one goes on."""
        notify("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")
        try:
            self._house = self._reload()
        except ConfigurationError as error:
            self._log.error("configuration.refused", problem=str(error))
        else:
            self._adopt()
            self._log.info("configuration.reloaded", policies=[*self._house.settings.policies])
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
        try:
            async with asyncio.timeout(LOOK):
                await migrations.require_current(self._house.database)
        except (*AWAY, TimeoutError):
            return "the database cannot be reached"
        except RetentionError as error:
            return str(error)
        return None

    async def run(self) -> None:
        """Work until stopped, and drain."""
        self._clockwork.start()
        self._adopt()
        await self._remember()
        alive = asyncio.create_task(self._show_life())
        notify("READY=1")
        try:
            while not self._stopping:
                self._turned_at = time.monotonic()
                await self._turn()
                await self._pause()
            await self._drain()
        finally:
            self._clockwork.stop()
            alive.cancel()
            await self._cut_off()

    def _adopt(self) -> None:
        schedules = self._timetable.set(self._house.settings.policies.values())
        self._clockwork.set(schedules)
        if not schedules:
            self._log.warning("schedule.none", detail="no policy has a schedule; this process only helps others")

    async def _remember(self) -> None:
        """Let the metrics tell of the runs before this process."""
        with suppress(*AWAY):
            for policy, run_id, finished_at in await self._house.schedules.last_runs([*self._house.settings.policies]):
                code = exit_code(await self._house.run_ledger.summary(run_id))
                self._metrics.run_ended(policy, code, finished_at)

    async def _turn(self) -> None:
        """Look, and set going what there is to do."""
        try:
            async with asyncio.timeout(PATIENCE):
                await self._timetable.begin()
                look = await self._house.schedules.look([*self._house.settings.notify])
        except (*AWAY, TimeoutError) as error:
            if not self._away:
                self._log.warning("database.away", problem=type(error).__name__)
            self._away = True
            return
        if self._away:
            self._away = False
            self._log.info("database.back")
        self._act(look)

    def _act(self, look: Look) -> None:
        for watch in self._timetable.due(look.now):
            watch.busy = True
            self._begin(self._fire(watch, look.now))
        now = time.monotonic()
        self._rests = {run_id: until for run_id, until in self._rests.items() if until > now}
        for run_id in look.runs:
            if run_id not in self._working and run_id not in self._rests:
                self._work_on(run_id, self._house.runs(self._crew).resume(run_id, override=None, by=REQUESTED_BY))
        if look.untold and (self._telling is None or self._telling.done()):
            self._telling = asyncio.create_task(self._tell())

    async def _fire(self, watch: Watch, now: datetime) -> None:
        planned = await self._timetable.tick(watch, now, self._plan)
        if planned is not None:
            self._work_on(planned.run_id, self._house.runs(self._crew).carry_out(planned))

    async def _plan(self, policy: Policy, scheduled_for: datetime) -> Planned | None:
        scope = scope_of(self._house.settings, policy)
        async with self._planning:
            runs = self._house.runs(self._crew)
            return await runs.plan(
                policy, scope, self._house.terms(scope.partners), Order(REQUESTED_BY, scheduled_for=scheduled_for)
            )

    def _work_on(self, run_id: UUID, going: Coroutine[Any, Any, Finished]) -> None:
        self._working.add(run_id)
        self._begin(self._work(run_id, going))

    async def _work(self, run_id: UUID, going: Coroutine[Any, Any, Finished]) -> None:
        rest = RETRY
        try:
            finished = await going
            summary = finished.summary
            if summary.status != "running":  # else this process left it, and others go on
                self._metrics.run_ended(summary.policy, finished.exit, summary.finished_at)
                rest = LOOK
        except AWAY:
            rest = LOOK
        except RetentionError as error:  # it is for partners that are not configured here
            self._log.warning("run.not_for_us", run_id=str(run_id), problem=str(error))
        except Exception:  # noqa: BLE001 - other runs go on
            self._log.exception("run.broken_off", run_id=str(run_id))
        finally:
            self._working.discard(run_id)
            self._rests[run_id] = time.monotonic() + rest

    async def _tell(self) -> None:
        try:
            await self._herald.once()
        except AWAY:
            pass  # the next look finds it still untold
        except Exception:  # noqa: BLE001 - runs go on
            self._log.exception("notification.broken_off")

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(LOOK):
                await self._wake.wait()
        except TimeoutError:
            pass
        self._wake.clear()

    async def _drain(self) -> None:
        """Wait for what is at work, as long as may be; then have it leave."""
        notify("STOPPING=1")
        began = time.monotonic()
        self._log.info("serve.draining", runs=len(self._working), timeout_s=self._drain_timeout)
        while self._tasks and (left := began + self._drain_timeout - time.monotonic()) > 0:
            self._turned_at = time.monotonic()
            await asyncio.wait(self._tasks, timeout=min(left, LOOK))
        if self._tasks:
            self._log.warning("serve.drain_timed_out", runs=len(self._working))
            self.die()
            await asyncio.wait(self._tasks, timeout=LEAVE)
        self._log.info("serve.drained", after_s=round(time.monotonic() - began, 3))

    async def _cut_off(self) -> None:
        """End whatever still goes on: what it claimed becomes a doubt when its lease runs out."""
        ending = [*self._tasks, *([self._telling] if self._telling else [])]
        for task in ending:
            task.cancel()
        if ending:
            await asyncio.wait(ending, timeout=LEAVE)

    async def _show_life(self) -> None:
        interval = watchdog_interval()
        while interval is not None:
            if self.problem() is None:
                notify("WATCHDOG=1")
            await asyncio.sleep(interval)
