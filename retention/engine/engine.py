"""One process at work on one run: lanes, the desk, and an eye on what others decide."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg

from retention.core.model import Kind
from retention.core.runs.pauses import pause_of_all, paused_partners
from retention.engine.clock_watch import WaitLog
from retention.engine.dispatcher import Dispatcher
from retention.engine.lease_keeper import LeaseKeeper
from retention.engine.recovery import ExpiredClaims
from retention.engine.retry import retry_until
from retention.engine.run_end import RunFinisher
from retention.engine.senders import Senders
from retention.engine.settler import Settler
from retention.errors import LostRunError
from retention.ledger.database_errors import UNAVAILABLE, first_line

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Sequence
    from uuid import UUID

    from structlog.typing import FilteringBoundLogger

    from retention.core.runs.pauses import Paused
    from retention.engine.clock_watch import ClockWatch
    from retention.engine.counters import RunCounters
    from retention.engine.partner import Partner
    from retention.ledger.engine_ledger import EngineLedger
    from retention.ledger.results import RunSnapshot

WATCH_INTERVAL_S = 0.4
"""Seconds between looks at the run: a pause, a halt or a kill switch is obeyed within a second."""

FINISH_POLL_S = 0.1
"""Seconds between looks whether the run is done, once this process has nothing to do."""

RECOVERY_INTERVAL_S = 5.0
"""Seconds between looks for claims whose process died, while there is other work."""


@dataclass(frozen=True, slots=True)
class EngineResult:
    """How this process's part ended. `lost` names the partners that nobody could reach."""

    stopped: bool
    lost: tuple[str, ...]


class Engine:
    """Sends and settles what is planned, until the run is over or somebody says stop.

    `stalled` marks the run as one that makes no progress, and tells people.
    """

    def __init__(
        self,
        ledger: EngineLedger,
        partners: Sequence[Partner],
        stats: RunCounters,
        log: FilteringBoundLogger,
        *,
        run_id: UUID,
        max_failure_ratio: float,
        max_conflicts: int,
        passed: Sequence[str],
        log_user_ids: bool,
        clock: ClockWatch | None = None,
        stalled: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._claims = ledger.claims
        self._control = ledger.control
        self._stats = stats
        self._done = -1  # rounds that were done at the last look
        self._stalled = stalled
        self._telling: asyncio.Future[None] | None = None
        self._partners = partners
        self._log = log
        self._clock = clock
        self._agrees = clock.agrees if clock else lambda: True
        self._waits = WaitLog(log)
        self._settler = Settler(
            ledger,
            stats,
            log,
            max_failure_ratio=max_failure_ratio,
            max_conflicts=max_conflicts,
            passed=passed,
            log_user_ids=log_user_ids,
        )
        self._keeper = LeaseKeeper(ledger.claims, self._settler.in_hand, log)
        self._senders: list[Senders] = []
        self._dispatchers: list[Dispatcher] = []
        self._recovery = ExpiredClaims(ledger.claims, partners, self._dispatchers, self._settler.in_hand, [run_id], log)
        self._over = asyncio.Event()
        self._end = RunFinisher(ledger.control, partners, self._settler, log, self._over)
        self._stopped = False
        self._failure: Exception | None = None
        self._overdue = False
        self._called_off: str | None = None

    def stop(self) -> None:
        """Drain: nothing more is sent, what is in flight is settled, what is claimed is handed back."""
        self._stopped = True
        self._settler.hurry(stopped=True)
        self._over.set()
        self._stop_sending()

    def _stop_sending(self) -> None:
        for senders in self._senders:
            senders.stop()
        for dispatcher in self._dispatchers:
            dispatcher.stop()

    def abort(self) -> None:
        """Go without waiting; what is unwritten becomes a doubt when its lease runs out."""
        self._settler.abort()

    async def run(self) -> EngineResult:
        """Work until the run is over for this process."""
        for partner in self._partners:
            self._set_up(partner)
        if self._stopped:
            await retry_until(self._control.leave_run, until=self._over)
            return EngineResult(stopped=True, lost=())
        async with asyncio.TaskGroup() as group:
            settler = group.create_task(self._settler.run())
            watcher = group.create_task(self._guard(self._watch()))
            concluder = group.create_task(self._guard(self._conclude()))
            work = [part.run() for part in self._senders] + [part.run() for part in self._dispatchers]
            parts = [group.create_task(self._guard(part)) for part in work]
            await self._over.wait()
            self._stop_sending()
            await asyncio.gather(*parts, *(partner.close() for partner in self._partners))
            for dispatcher in self._dispatchers:
                await self._guard(dispatcher.wind_up())
            self._settler.close()
            await settler
            watcher.cancel()
            if self._telling is not None:
                self._telling.cancel()
            concluder.cancel()
        if self._failure is not None:
            raise self._failure
        if self._stopped:
            await retry_until(self._control.leave_run, until=self._over)
        elif self._overdue:
            await self._wind_up()
        elif self._called_off is not None:
            await self._end.give_up(None, self._called_off)  # what was in this process's hands at that moment
        return EngineResult(self._stopped, self._end.unreached)

    def _set_up(self, partner: Partner) -> None:
        senders = Senders(partner, self._settler)
        self._senders.append(senders)
        asker = None
        if partner.treating.status_probe:
            asker = Dispatcher(Kind.STATUS, senders, self._claims, self._settler)
            self._dispatchers.append(asker)
        self._dispatchers.append(
            Dispatcher(
                Kind.CANCEL, senders, self._claims, self._settler, asker=asker if partner.treating.ask_first else None
            )
        )

    async def _wind_up(self) -> None:
        """End a run whose deadline has come, once nobody's request is in flight; what a dead process had is a doubt."""
        while not self._stopped:
            try:
                await self._recovery.find()
                await self._end.give_up(None, "the deadline came first")
                if (
                    await self._control.finish_run("finished", None)
                    or (await self._control.heartbeat([])).status != "running"
                ):
                    return
            except UNAVAILABLE:
                self._log.debug("database.away")
            await asyncio.sleep(WATCH_INTERVAL_S)

    async def _guard(self, part: Coroutine[Any, Any, None]) -> None:
        """Let a part that fails end the work, not cut off what is in flight."""
        try:
            await part
        except psycopg.Error as error:
            # What the database refuses once it refuses again: a person has to mend it, and then to resume the run.
            reason = f"database: {first_line(error)}"
            self._log.error("database.refused", problem=first_line(error))
            await retry_until(lambda: self._control.halt_run(reason), until=self._over)
            self._over.set()
        except Exception as error:  # noqa: BLE001 - raised again once everything is drained
            self._failure = self._failure or error
            self._over.set()

    async def _watch(self) -> None:
        """Obey what is decided elsewhere, and what the partners' silence decides."""
        while True:
            try:
                await self._look()
            except UNAVAILABLE:
                self._log.debug("database.away")
            except LostRunError:
                self._settler.write_again()  # the attempts go on record, though the ledger has lost their run
                raise
            await asyncio.sleep(WATCH_INTERVAL_S)

    async def _look(self) -> None:
        now = time.monotonic()
        sight = await self._sign_of_life()
        if self._clock is not None:
            await self._clock.look()
        overdue = sight.overdue and self._agrees()
        if await self._keeper.keep(sight.server_started, now):
            self._settler.write_again()
        self._waits.look(self._senders, sight, now, now + 2 * WATCH_INTERVAL_S)
        paused = self._note_pauses(sight.pauses)
        for partner in self._partners:
            partner.halted = partner.halted or partner.name in sight.halted_partners
            if partner.questions_lost:
                await self._end.give_up(partner.name, "the status address could not be reached", doubts_only=True)
            if partner.lost_kinds and partner.name not in self._end.lost:
                partner.halted = True
                self._end.lost.add(partner.name)
                self._end.tell_unreachable(partner)
        if sight.status == "running" and paused:
            await self._control.halt_run(paused, paused_for=[*self._end.paused])
        if overdue:
            self._overdue = True
            self._settler.hurry(stopped=False)
        if sight.status == "cancelled":
            self._called_off = sight.halt_reason
        if sight.status != "running" or paused or overdue:
            self._over.set()

    async def _sign_of_life(self) -> RunSnapshot:
        """Look at the run; where it makes no progress, people are told beside the work."""
        done = self._stats.done
        progressed = done > self._done >= 0
        sight = await self._control.heartbeat([partner.name for partner in self._partners], progressed=progressed)
        self._done = done
        telling = self._telling is not None and not self._telling.done()
        if sight.stalled and self._stalled is not None and not telling and self._agrees():
            self._telling = asyncio.ensure_future(self._stalled())
        return sight

    def _note_pauses(self, pauses: Sequence[Paused]) -> str | None:
        """Stop the calls to those partners alone that are paused; returns the words where these are all."""
        names = [partner.name for partner in self._partners]
        self._end.paused = paused_partners(pauses, names)
        for partner in self._partners:
            was, partner.paused = partner.paused, partner.name in self._end.paused
            if was != partner.paused:
                event = "partner.paused" if partner.paused else "partner.resumed"
                self._log.warning(event, partner=partner.name, detail=self._end.paused.get(partner.name))
        return pause_of_all(self._end.paused, names)

    async def _conclude(self) -> None:
        """Find what dead processes left, and the end of the run; no more often than it is cheap."""
        clock = time.monotonic
        recovered_at = clock()
        while not self._over.is_set():
            await asyncio.sleep(FINISH_POLL_S)
            if not self._agrees():  # no lease has run out, and no end has come
                continue
            done = self._settler.empty and all(dispatcher.quiet for dispatcher in self._dispatchers)
            if self._clock is not None:
                await self._clock.correct(leases=done)
            if not done and clock() - recovered_at < RECOVERY_INTERVAL_S:
                continue
            if self._settler.blocked:
                continue  # replies wait to be written
            started = clock()
            try:
                found = await self._recovery.find(whole=done)
                if done and not found and await self._end.finish():
                    self._over.set()
            except UNAVAILABLE:
                self._log.debug("database.away")
            recovered_at = clock()
            await asyncio.sleep(min(10 * (recovered_at - started), RECOVERY_INTERVAL_S))
