"""Watches the database's clock for one run.

The database's clock decides, but is not trusted unchecked. While it cannot be relied on, nothing is sent, no deadline
counts and no lease expires.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from retention.ledger.clocks import CORRECTION_INTERVAL_S
from retention.ledger.database_errors import UNAVAILABLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from structlog.typing import FilteringBoundLogger

    from retention.engine.run_partner import RunPartner
    from retention.ledger.clocks import Clocks
    from retention.ledger.engine_ledger import EngineLedger


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
