"""Whether a daemon may go by the database's clock."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from retention.errors import ClockError
from retention.ledger.clocks import CORRECTION_INTERVAL_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from structlog.typing import FilteringBoundLogger

    from retention.ledger.clocks import Clocks, LedgerClock
    from retention.settings.model import Settings


class ClockGate:
    """Closed for a policy while the clocks differ by more than its limit: told once, and opened again by itself."""

    def __init__(
        self, clocks: Clocks, ledger_clock: LedgerClock, settings: Callable[[], Settings], log: FilteringBoundLogger
    ) -> None:
        self._clocks = clocks
        self._ledger_clock = ledger_clock
        self._settings = settings
        self._log = log
        self._told = False
        self._correct_at = 0.0

    @property
    def problem(self) -> str | None:
        """Why some policy cannot go by the database's clock; None where all can."""
        return self._clocks.problem(self._strictest)

    def closed(self, policy: str | None = None) -> str | None:
        """Why this policy (None: any policy at all) cannot go by it; None where it can."""
        settings = self._settings()
        names = [policy] if policy is not None else [*settings.policies]
        return self._clocks.problem(max((settings.clock_limit(name) for name in names), default=self._strictest))

    @property
    def _strictest(self) -> float:
        return self._settings().clock_limit()

    async def correct(self) -> bool:
        """Now and then, take back times that lie impossibly far ahead; whether some schedule's was among them."""
        if time.monotonic() < self._correct_at:
            return False
        try:
            await self._ledger_clock.require_time(self._strictest)
        except ClockError:
            return False
        self._correct_at = time.monotonic() + CORRECTION_INTERVAL_S
        found = await self._ledger_clock.correct_ledger_times(self._strictest)
        for correction in found:
            self._log.warning("clock.corrected", **correction.values())
        return any(correction.column == "decided_until" for correction in found)

    def tell(self) -> bool:
        """Tell what has changed; returns whether the clocks have just come to agree again."""
        problem = self.problem
        if problem is not None and not self._told:
            self._told = True
            self._log.error("clock.difference", detail=problem, difference_s=round(self._clocks.difference, 3))
        elif problem is None and self._told:
            self._told = False
            self._correct_at = 0.0
            self._log.info("clock.agrees", difference_s=round(self._clocks.difference, 3))
            return True
        return False
