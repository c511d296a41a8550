"""One process at work on one run: starts the parts, drains them, and returns how the work ended.

Dispatchers claim, senders send, the settler writes, the watcher obeys, the finisher ends the run. They share the
partners' states and one lifecycle; no part stops another. A part that fails drains the engine, so that requests in
flight still get their replies written.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg

from retention.core.model import Kind
from retention.core.runs.halt_cause import HaltCause
from retention.engine.dispatcher import Dispatcher
from retention.engine.expired_claims import ExpiredClaims
from retention.engine.lease_keeper import LeaseKeeper
from retention.engine.lifecycle import DrainReason, Lifecycle, Phase
from retention.engine.retry import retry_until
from retention.engine.run_finisher import RunFinisher
from retention.engine.run_watcher import WATCH_INTERVAL_S, RunWatcher
from retention.engine.senders import Senders
from retention.engine.settler import Settler
from retention.ledger.database_errors import UNAVAILABLE, first_line

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Sequence
    from uuid import UUID

    from structlog.typing import FilteringBoundLogger

    from retention.engine.clock_watch import ClockWatch
    from retention.engine.counters import RunCounters
    from retention.engine.run_partner import RunPartner
    from retention.ledger.engine_ledger import EngineLedger

FINISH_POLL_S = 0.1
"""Seconds between looks whether the run is done."""

RECOVERY_INTERVAL_S = 5.0
"""Seconds between searches for expired claims, while there is other work."""


@dataclass(frozen=True, slots=True)
class EngineResult:
    """How this process's part ended. `unreachable` names the partners that no process could reach.

    `helpers`: the names of the helper processes that worked on the run for this one.
    """

    stopped: bool
    unreachable: tuple[str, ...]
    helpers: tuple[str, ...] = ()


class Engine:
    """Sends and settles a run's rounds, until the run is over or this process is to stop.

    `stalled` marks the run as stalled, and notifies people. `now` is the monotonic clock, in seconds.
    """

    def __init__(
        self,
        ledger: EngineLedger,
        partners: Sequence[RunPartner],
        counters: RunCounters,
        log: FilteringBoundLogger,
        *,
        run_id: UUID,
        max_failure_ratio: float,
        max_conflicts: int,
        overrides: Sequence[str],
        log_user_ids: bool,
        clock: ClockWatch | None = None,
        stalled: Callable[[], Awaitable[None]] | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.lifecycle = Lifecycle()
        self.senders: list[Senders] = []
        self.dispatchers: list[Dispatcher] = []
        self.counters = counters
        self._claims = ledger.claims
        self._control = ledger.control
        self._partners = partners
        self._log = log
        self._clock = clock
        self._clock_agrees = clock.agrees if clock else lambda: True
        self._now = now
        self._failure: Exception | None = None
        self.settler = Settler(
            ledger,
            counters,
            log,
            self.lifecycle,
            max_failure_ratio=max_failure_ratio,
            max_conflicts=max_conflicts,
            overrides=overrides,
            log_user_ids=log_user_ids,
            now=now,
        )
        for partner in partners:
            self._add(partner)
        in_hand = self.settler.in_hand
        self.expired = ExpiredClaims(ledger.claims, partners, in_hand, [run_id], log)
        self.finisher = RunFinisher(ledger.control, partners, self.settler, self.expired, self.lifecycle, log)
        self.watcher = RunWatcher(
            ledger.control,
            self.senders,
            self.settler,
            LeaseKeeper(ledger.claims, in_hand, log),
            self.finisher,
            counters,
            self._drain,
            log,
            clock=clock,
            stalled=stalled,
            now=now,
        )

    def stop(self) -> None:
        """Drain: nothing more is sent, requests in flight are settled, and claims are released."""
        self.settler.shorten_waits(stopped=True)
        self._drain(DrainReason.STOPPED)

    def abort(self) -> None:
        """End without waiting; unwritten replies become doubts when their leases end."""
        self.settler.abort()

    async def run(self) -> EngineResult:
        """Work until the run is over for this process. Raises the error of a part that failed, after the drain."""
        if not self.lifecycle.running:
            await self._leave()
            return EngineResult(stopped=True, unreachable=())
        async with asyncio.TaskGroup() as group:
            settler = group.create_task(self.settler.run())
            watcher = group.create_task(self._run_part(self.watcher.run()))
            finisher = group.create_task(self._run_part(self._finish_loop()))
            work = [*(part.run() for part in self.senders), *(part.run() for part in self.dispatchers)]
            parts = [group.create_task(self._run_part(part)) for part in work]
            await self.lifecycle.draining.wait()
            await asyncio.gather(*parts, *(partner.gateway.close() for partner in self._partners))
            for dispatcher in self.dispatchers:
                await self._run_part(dispatcher.release_all())
            self.settler.finish_input()
            await settler
            watcher.cancel()
            self.watcher.stop()
            finisher.cancel()
        self.lifecycle.advance(Phase.DONE)
        if self._failure is not None:
            raise self._failure
        await self._part_with_run()
        return EngineResult(self._stopped, self.finisher.unreachable)

    def _add(self, partner: RunPartner) -> None:
        senders = Senders(partner, self.settler, self.lifecycle, self._clock_agrees, self._now)
        self.senders.append(senders)
        parts = (senders, self._claims, self.settler, self.lifecycle)
        asker = None
        if partner.terms.status_probe:
            asker = Dispatcher(Kind.STATUS, *parts, now=self._now)
            self.dispatchers.append(asker)
        needed = asker if partner.terms.ask_first else None
        self.dispatchers.append(Dispatcher(Kind.CANCEL, *parts, asker=needed, now=self._now))

    def _drain(self, reason: DrainReason) -> None:
        self.lifecycle.drain(reason)
        for senders in self.senders:
            senders.wake()

    @property
    def _stopped(self) -> bool:
        return self.lifecycle.reason is DrainReason.STOPPED

    async def _leave(self) -> None:
        await retry_until(self._control.leave_run, until=self.lifecycle.draining)

    async def _part_with_run(self) -> None:
        """After the drain, act on its reason."""
        match self.lifecycle.reason:
            case DrainReason.STOPPED:
                await self._leave()
            case DrainReason.OVERDUE:
                await self._close_overdue_run()
            case DrainReason.CALLED_OFF if self.watcher.called_off is not None:
                # Closes the rounds that were in this process's hands when the run was called off.
                await self.finisher.close_unsent(None, self.watcher.called_off)

    async def _close_overdue_run(self) -> None:
        while not self._stopped:
            try:
                if await self.finisher.close_overdue_once():
                    return
            except UNAVAILABLE:
                self._log.debug("database.away")
            await asyncio.sleep(WATCH_INTERVAL_S)

    async def _run_part(self, part: Coroutine[Any, Any, None]) -> None:
        """Run a part; its failure drains the engine, and does not cut off requests in flight."""
        try:
            await part
        except psycopg.Error as error:
            # The database would refuse it again: a person has to mend that, and then to resume the run.
            reason = HaltCause.DATABASE.reason(first_line(error))
            self._log.error("database.refused", problem=first_line(error))
            await retry_until(lambda: self._control.halt_run(reason), until=self.lifecycle.draining)
            self._drain(DrainReason.RUN_ENDED)
        except Exception as error:  # noqa: BLE001 - raised again once everything is drained
            self._failure = self._failure or error
            self._drain(DrainReason.FAILED)

    async def _finish_loop(self) -> None:
        """Expire claims of dead processes, and end the run; no more often than is cheap."""
        recovered_at = self._now()
        while self.lifecycle.running:
            await asyncio.sleep(FINISH_POLL_S)
            if not self._clock_agrees():  # no lease has ended, and no deadline has come, that could be relied on
                continue
            done = self.settler.empty and all(dispatcher.is_idle for dispatcher in self.dispatchers)
            if self._clock is not None:
                await self._clock.correct(leases=done)
            if not done and self._now() - recovered_at < RECOVERY_INTERVAL_S:
                continue
            if self.settler.blocked:
                continue  # replies wait to be written
            started = self._now()
            try:
                if await self.finisher.finish_once(done=done):
                    self._drain(DrainReason.RUN_ENDED)
            except UNAVAILABLE:
                self._log.debug("database.away")
            recovered_at = self._now()
            await asyncio.sleep(min(10 * (recovered_at - started), RECOVERY_INTERVAL_S))
