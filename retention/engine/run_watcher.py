"""Watches one run: sends the heartbeat, and obeys the decisions of other processes and of people.

A pause, a halt or a deadline is obeyed within a second, at each process, because each reads the ledger several times a
second. The same look keeps the leases of this process's claims.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from retention.core.runs.pauses import pause_of_all, paused_partners
from retention.core.sending.partner_state import PartnerHalt
from retention.engine.lifecycle import DrainReason
from retention.engine.wait_log import WaitLog
from retention.errors import LostRunError
from retention.ledger.database_errors import UNAVAILABLE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Sequence

    from structlog.typing import FilteringBoundLogger

    from retention.core.runs.pauses import ActivePause
    from retention.engine.clock_watch import ClockWatch
    from retention.engine.counters import RunCounters
    from retention.engine.lease_keeper import LeaseKeeper
    from retention.engine.run_finisher import RunFinisher
    from retention.engine.run_partner import RunPartner
    from retention.engine.senders import Senders
    from retention.engine.settler import Settler
    from retention.ledger.results import RunSnapshot
    from retention.ledger.run_control import RunControl

WATCH_INTERVAL_S = 0.4
"""Seconds between looks at the run: a pause, a halt or a kill switch is obeyed within a second."""


class RunWatcher:
    """Reads the run's state, and has the engine drained (`drain`) when the run is over for this process.

    `stalled` marks the run as stalled, and notifies people. `called_off` is the message of a person who called the run
    off. `now` is the monotonic clock, in seconds.
    """

    def __init__(
        self,
        control: RunControl,
        senders: Sequence[Senders],
        settler: Settler,
        keeper: LeaseKeeper,
        finisher: RunFinisher,
        counters: RunCounters,
        drain: Callable[[DrainReason], None],
        log: FilteringBoundLogger,
        *,
        clock: ClockWatch | None = None,
        stalled: Callable[[], Awaitable[None]] | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.called_off: str | None = None
        self._control = control
        self._senders = senders
        self._partners: Sequence[RunPartner] = [one.partner for one in senders]
        self._settler = settler
        self._keeper = keeper
        self._finisher = finisher
        self._counters = counters
        self._drain = drain
        self._log = log
        self._clock = clock
        self._stalled = stalled
        self._now = now
        self._waits = WaitLog(log)
        self._done_before = -1
        self._notifying: asyncio.Future[None] | None = None

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            try:
                await self.watch_once()
            except UNAVAILABLE:
                self._log.debug("database.away")
            except LostRunError:
                # The attempts are recorded, though the ledger has lost their run.
                self._settler.rewrite_recent(self._keeper.lacks_since(self._now()))
                raise
            await asyncio.sleep(WATCH_INTERVAL_S)

    def stop(self) -> None:
        """Stop notifying people of a stalled run."""
        if self._notifying is not None:
            self._notifying.cancel()

    async def watch_once(self) -> None:
        """Look at the run once, and obey it. Raises an error of UNAVAILABLE; the next look repeats the work."""
        now = self._now()
        found = await self._heartbeat()
        if self._clock is not None:
            await self._clock.look()
        overdue = found.overdue and self._clock_agrees()
        since = await self._keeper.keep(found.server_started, now)
        if since is not None:
            self._settler.rewrite_recent(since)
        self._obey_throttles(found.throttled, now)
        self._report_waits(found)
        await self._trust_server(found.new_server_for)
        paused = self._obey_pauses(found.pauses)
        for partner in self._partners:
            await self._obey_state(partner, halted=partner.name in found.halted_partners)
        if found.status == "running" and paused:
            await self._control.halt_run(paused, paused_for=[*self._finisher.paused])
        elif found.status == "running":
            await self._settler.halts.repeat(self._partners, found.halted_partners)
        if overdue:
            self._settler.shorten_waits(stopped=False)
            self._drain(DrainReason.OVERDUE)
        if found.status == "cancelled":
            self.called_off = found.halt_reason
            if self.called_off is not None:
                self._drain(DrainReason.CALLED_OFF)
        if found.status != "running" or paused:
            self._drain(DrainReason.RUN_ENDED)

    def _report_waits(self, found: RunSnapshot) -> None:
        for one in self._senders:
            name, lease_s = one.partner.name, one.partner.terms.lease
            self._waits.report_new_server(name, lease_s, new=name in found.new_server_for)
            self._waits.report(name, found.waits, idle=not one.places.in_flight.total())

    async def _trust_server(self, new_server_for: Collection[str]) -> None:
        """Open the server to all claims once this process has waited there, though it has nothing to claim."""
        for partner in self._partners:
            if partner.name in new_server_for:
                await self._control.trust_server(partner.name, partner.terms.lease)

    def _clock_agrees(self) -> bool:
        return self._clock is None or self._clock.agrees()

    async def _heartbeat(self) -> RunSnapshot:
        """Record the heartbeat, and read the run; where it has stalled, people are notified beside the work."""
        done = self._counters.done
        progressed = done > self._done_before >= 0
        found = await self._control.heartbeat([partner.name for partner in self._partners], progressed=progressed)
        self._done_before = done
        notifying = self._notifying is not None and not self._notifying.done()
        if found.stalled and self._stalled is not None and not notifying and self._clock_agrees():
            self._notifying = asyncio.ensure_future(self._stalled())
        return found

    def _obey_throttles(self, throttled: Collection[str], queried_s: float) -> None:
        """Obey the pauses that vendors asked any replica for; each counts until the next look is over."""
        for partner in self._partners:
            partner.state.obey_ledger_throttle(
                throttled=partner.name in throttled, queried_s=queried_s, until_s=queried_s + 2 * WATCH_INTERVAL_S
            )

    def _obey_pauses(self, pauses: Sequence[ActivePause]) -> str | None:
        """Pause the partners that a person has paused; returns the message where these are all partners."""
        names = [partner.name for partner in self._partners]
        self._finisher.paused = paused_partners(pauses, names)
        for partner in self._partners:
            if partner.state.set_paused(paused=partner.name in self._finisher.paused):
                event = "partner.paused" if partner.state.paused else "partner.resumed"
                self._log.warning(event, partner=partner.name, detail=self._finisher.paused.get(partner.name))
        return pause_of_all(self._finisher.paused, names)

    async def _obey_state(self, partner: RunPartner, *, halted: bool) -> None:
        """Halt a partner whose refusal of our credentials is on record, or that this process cannot reach."""
        state = partner.state
        if halted:
            state.halt(PartnerHalt.UNAUTHORIZED)
        if state.lost_probes:
            why = "the status address could not be reached"
            await self._finisher.close_unsent(partner.name, why, doubts_only=True)
        if state.lost_kinds and not state.is_halted_for(PartnerHalt.UNREACHABLE):
            state.halt(PartnerHalt.UNREACHABLE)
            self._finisher.report_unreachable(partner)
