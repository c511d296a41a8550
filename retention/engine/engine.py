"""One process at work on one run: lanes, the desk, and an eye on what others decide."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg

from retention.core.model import Kind
from retention.engine.clock_watch import WaitLog
from retention.engine.desk import Desk
from retention.engine.dispatcher import Dispatcher
from retention.engine.lease_keeper import LeaseKeeper
from retention.engine.persist import persist
from retention.engine.recovery import Recovery
from retention.engine.senders import Senders
from retention.errors import LostRunError
from retention.ledger.trouble import AWAY, first_line

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence
    from uuid import UUID

    from structlog.typing import FilteringBoundLogger

    from retention.engine.clock_watch import ClockWatch
    from retention.engine.partner import Partner
    from retention.engine.stats import Stats
    from retention.ledger.work import WorkLedger

WATCH = 0.4
"""Seconds between looks at the run: a pause, a halt or a kill switch is obeyed within a second."""

CONCLUDE = 0.1
"""Seconds between looks whether the run is done, once this process has nothing to do."""

REACHED = 60.0
"""Seconds within which another process must have reached a partner that this one cannot, or it is given up for all."""

RECOVER = 5.0
"""Seconds between looks for claims whose process died, while there is other work."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How this process's part ended. `lost` names the partners that nobody could reach."""

    stopped: bool
    lost: tuple[str, ...]


class Engine:
    """Sends and settles what is planned, until the run is over or somebody says stop."""

    def __init__(
        self,
        ledger: WorkLedger,
        partners: Sequence[Partner],
        stats: Stats,
        log: FilteringBoundLogger,
        *,
        run_id: UUID,
        max_failure_ratio: float,
        max_conflicts: int,
        passed: Sequence[str],
        log_user_ids: bool,
        clock: ClockWatch | None = None,
    ) -> None:
        self._ledger = ledger
        self._partners = partners
        self._log = log
        self._clock = clock
        self._agrees = clock.agrees if clock else lambda: True
        self._waits = WaitLog(log)
        self._desk = Desk(
            ledger,
            stats,
            log,
            max_failure_ratio=max_failure_ratio,
            max_conflicts=max_conflicts,
            passed=passed,
            log_user_ids=log_user_ids,
        )
        self._keeper = LeaseKeeper(ledger, self._desk.in_hand, log)
        self._senders: list[Senders] = []
        self._dispatchers: list[Dispatcher] = []
        self._recovery = Recovery(ledger, partners, self._dispatchers, self._desk.in_hand, [run_id], log)
        self._over = asyncio.Event()
        self._stopped = False
        self._failure: Exception | None = None
        self._lost: set[str] = set()
        self._unreached: tuple[str, ...] = ()
        self._overdue = False
        self._called_off: str | None = None

    def stop(self) -> None:
        """Drain: nothing more is sent, what is in flight is settled, what is claimed is handed back."""
        self._stopped = True
        self._desk.hurry(stopped=True)
        self._over.set()
        self._stop_sending()

    def _stop_sending(self) -> None:
        for senders in self._senders:
            senders.stop()
        for dispatcher in self._dispatchers:
            dispatcher.stop()

    def die(self) -> None:
        """Go without waiting; what is unwritten becomes a doubt when its lease runs out."""
        self._desk.die()

    async def run(self) -> Ending:
        """Work until the run is over for this process."""
        for partner in self._partners:
            self._set_up(partner)
        if self._stopped:
            await persist(self._ledger.leave, until=self._over)
            return Ending(stopped=True, lost=())
        async with asyncio.TaskGroup() as group:
            desk = group.create_task(self._desk.run())
            watcher = group.create_task(self._guard(self._watch()))
            concluder = group.create_task(self._guard(self._conclude()))
            work = [part.run() for part in self._senders] + [part.run() for part in self._dispatchers]
            parts = [group.create_task(self._guard(part)) for part in work]
            await self._over.wait()
            self._stop_sending()
            await asyncio.gather(*parts, *(partner.close() for partner in self._partners))
            for dispatcher in self._dispatchers:
                await self._guard(dispatcher.wind_up())
            self._desk.close()
            await desk
            watcher.cancel()
            concluder.cancel()
        if self._failure is not None:
            raise self._failure
        if self._stopped:
            await persist(self._ledger.leave, until=self._over)
        elif self._overdue:
            await self._wind_up()
        elif self._called_off is not None:
            await self._give_up(None, self._called_off)  # what was in this process's hands at that moment
        return Ending(self._stopped, self._unreached)

    def _set_up(self, partner: Partner) -> None:
        senders = Senders(partner, self._desk)
        self._senders.append(senders)
        asker = None
        if partner.treating.status_probe:
            asker = Dispatcher(Kind.STATUS, senders, self._ledger, self._desk)
            self._dispatchers.append(asker)
        self._dispatchers.append(
            Dispatcher(
                Kind.CANCEL, senders, self._ledger, self._desk, asker=asker if partner.treating.ask_first else None
            )
        )

    async def _wind_up(self) -> None:
        """End a run whose deadline has come, once nobody's request is in flight; what a dead process had is a doubt."""
        while not self._stopped:
            try:
                await self._recovery.find()
                await self._give_up(None, "the deadline came first")
                if await self._ledger.finish("finished", None) or (await self._ledger.watch([])).status != "running":
                    return
            except AWAY:
                self._log.debug("database.away")
            await asyncio.sleep(WATCH)

    async def _find_unreached(self) -> tuple[str, ...]:
        """The partners that have not answered for long, and those that never did: not this process, nor any other."""
        found = []
        for partner in sorted(self._partners, key=lambda partner: partner.name):
            lost = partner.name in self._lost
            kinds = partner.lost_kinds if lost else [*Kind] if partner.never_reached else []
            if kinds and not await self._ledger.reached(partner.name, kinds, REACHED if lost else None):
                found.append(partner.name)
        return tuple(found)

    async def _guard(self, part: Coroutine[Any, Any, None]) -> None:
        """Let a part that fails end the work, not cut off what is in flight."""
        try:
            await part
        except psycopg.Error as error:
            # What the database refuses once it refuses again: a person has to mend it, and then to resume the run.
            reason = f"database: {first_line(error)}"
            self._log.error("database.refused", problem=first_line(error))
            await persist(lambda: self._ledger.halt(reason), until=self._over)
            self._over.set()
        except Exception as error:  # noqa: BLE001 - raised again once everything is drained
            self._failure = self._failure or error
            self._over.set()

    async def _watch(self) -> None:
        """Obey what is decided elsewhere, and what the partners' silence decides."""
        while True:
            try:
                await self._look()
            except AWAY:
                self._log.debug("database.away")
            except LostRunError:
                self._desk.write_again()  # the attempts go on record, though the ledger has lost their run
                raise
            await asyncio.sleep(WATCH)

    async def _look(self) -> None:
        now = time.monotonic()
        sight = await self._ledger.watch([partner.name for partner in self._partners])
        if self._clock is not None:
            await self._clock.look()
        overdue = sight.overdue and self._agrees()
        if await self._keeper.keep(sight.server_started, now):
            self._desk.write_again()
        self._waits.look(self._senders, sight, now, now + 2 * WATCH)
        for partner in self._partners:
            partner.halted = partner.halted or partner.name in sight.halted_partners
            if partner.questions_lost:
                await self._give_up(partner.name, "the status address could not be reached", doubts_only=True)
            if partner.lost_kinds and partner.name not in self._lost:
                partner.halted = True
                self._lost.add(partner.name)
                self._tell_unreachable(partner)
        if sight.status == "running" and sight.paused:
            await self._ledger.halt(sight.paused, paused=True)
        if overdue:
            self._overdue = True
            self._desk.hurry(stopped=False)
        if sight.status == "cancelled":
            self._called_off = sight.halt_reason
        if sight.status != "running" or sight.paused or overdue:
            self._over.set()

    async def _give_up(self, partner: str | None, why: str, *, doubts_only: bool = False) -> None:
        given_up = await persist(lambda: self._ledger.give_up(partner, why, doubts_only=doubts_only), until=self._over)
        if given_up:
            self._desk.note_given_up(given_up)
            self._log.warning("run.given_up", partner=partner, rounds=sum(g.rounds for g in given_up), detail=why)

    async def _conclude(self) -> None:
        """Find what dead processes left, and the end of the run; no more often than it is cheap."""
        clock = time.monotonic
        recovered_at = clock()
        while not self._over.is_set():
            await asyncio.sleep(CONCLUDE)
            if not self._agrees():  # no lease has run out, and no end has come
                continue
            done = self._desk.empty and all(dispatcher.quiet for dispatcher in self._dispatchers)
            if self._clock is not None:
                await self._clock.correct(leases=done)
            if not done and clock() - recovered_at < RECOVER:
                continue
            if self._desk.blocked:
                continue  # replies wait to be written
            started = clock()
            try:
                found = await self._recovery.find(whole=done)
                if done and not found and await self._finish():
                    self._over.set()
            except AWAY:
                self._log.debug("database.away")
            recovered_at = clock()
            await asyncio.sleep(min(10 * (recovered_at - started), RECOVER))

    async def _finish(self) -> bool:
        halted = sorted(partner.name for partner in self._partners if partner.halted and partner.name not in self._lost)
        if halted:
            return await self._ledger.finish("halted", f"unauthorized: {', '.join(halted)} refused our credentials")
        self._unreached = await self._find_unreached()
        for name in self._lost.intersection(self._unreached):
            await self._give_up(name, "the partner could not be reached")
        if not self._unreached:
            return await self._ledger.finish("finished", None)
        unreached = [partner for partner in self._partners if partner.name in self._unreached]
        named = sorted(f"{one.name} ({one.why_not_reached})" if one.why_not_reached else one.name for one in unreached)
        ended = await self._ledger.finish("failed", f"unreachable: {', '.join(named)}")
        if ended:
            for partner in unreached:
                if partner.name not in self._lost:  # too few rounds to tell before
                    self._tell_unreachable(partner)
        return ended

    def _tell_unreachable(self, partner: Partner) -> None:
        self._log.error("partner.unreachable", partner=partner.name, problem=partner.why_not_reached or None)
