"""Watches the database's clock for one run, and reports why a run waits.

The database's clock decides, but is not trusted unchecked. While it cannot be relied on, nothing is sent, no deadline
counts and no lease expires.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from retention.ledger.clocks import CORRECTION_INTERVAL_S
from retention.ledger.database_errors import UNAVAILABLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from structlog.typing import FilteringBoundLogger

    from retention.engine.run_partner import RunPartner
    from retention.engine.senders import Senders
    from retention.ledger.clocks import Clocks
    from retention.ledger.engine_ledger import EngineLedger
    from retention.ledger.results import ClaimWait, RunSnapshot


class ClockWatch:
    """Whether the run may rely on the database's clock, and corrections after it was wrong.

    `limit` and the policy's `deadline` are in seconds.
    """

    def __init__(
        self,
        ledger: EngineLedger,
        clocks: Clocks,
        partners: Sequence[RunPartner],
        log: FilteringBoundLogger,
        *,
        limit: float,
        deadline: float | None,
    ) -> None:
        self._ledger = ledger
        self._clocks = clocks
        self._terms = [partner.terms for partner in partners]
        self._log = log
        self._limit = limit
        self._deadline = deadline
        self._jumps = clocks.jumps
        self._reported = False
        self._correct_at = 0.0

    def agrees(self) -> bool:
        """Whether the run may rely on the database's clock."""
        return self._clocks.agrees(self._limit)

    async def look(self) -> None:
        """After a look at the run: report a change, and renew this process's leases after a jump."""
        if (problem := self._clocks.problem(self._limit)) and not self._reported:
            self._reported = True
            difference = round(self._clocks.difference, 3)
            self._log.error("clock.difference", detail=problem, difference_s=difference)
        elif self._reported and problem is None:
            self._reported = False
            self._correct_at = 0.0
            self._log.info("clock.agrees", difference_s=round(self._clocks.difference, 3))
        if (jumps := self._clocks.jumps) != self._jumps:
            for terms in self._terms:
                await self._ledger.claims.renew_leases(terms)
            self._jumps = jumps

    async def correct(self, *, leases: bool) -> None:
        """Now and then, correct times that are impossibly far ahead, and report each."""
        if not self.agrees() or time.monotonic() < self._correct_at:
            return
        self._correct_at = time.monotonic() + CORRECTION_INTERVAL_S
        try:
            found = await self._ledger.control.correct_times(self._limit, self._deadline, self._terms, leases=leases)
        except UNAVAILABLE:
            return
        for correction in found:
            self._log.warning("clock.corrected", **correction.values())


class WaitLog:
    """Obeys the vendors' pauses, and reports each reason for a wait once per partner."""

    def __init__(self, log: FilteringBoundLogger) -> None:
        self._log = log
        self._reported: set[tuple[str, bool]] = set()

    def look(self, every: Iterable[Senders], sight: RunSnapshot, asked: float, until: float) -> None:
        """Obey the vendors' pauses in the ledger, as asked then; each counts `until` the next look is over."""
        for senders in every:
            partner = senders.partner
            throttled = partner.name in sight.throttled
            partner.state.obey_ledger_throttle(throttled=throttled, asked_s=asked, until_s=until)
            self._report(partner.name, sight.waits, idle=not senders.places.in_flight.total())

    def _report(self, partner: str, waits: Iterable[ClaimWait], *, idle: bool) -> None:
        found = {wait.by_vendor: wait.until for wait in waits if wait.partner == partner}
        if True not in found:
            self._reported.discard((partner, True))  # the next pause is reported again
        for by_vendor, until in found.items() if idle else ():
            if (partner, by_vendor) not in self._reported:
                self._reported.add((partner, by_vendor))
                why = (
                    "its vendor asked to be left alone; `retention resume` ends that earlier"
                    if by_vendor
                    else "its next send slot is then"
                )
                self._log.warning("run.waiting", partner=partner, until=until, detail=why)
