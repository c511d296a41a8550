"""Stops a daemon from acting on the database's clock while that clock cannot be trusted."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from retention.errors import ClockError
from retention.ledger.clocks import CORRECTION_INTERVAL_S

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

    from retention.daemon.live_configuration import LiveConfiguration
    from retention.ledger.clocks import Clocks, LedgerClock


class ClockGate:
    """Closed for a policy while the clocks differ by more than the policy's limit; it opens again by itself."""

    def __init__(
        self, clocks: Clocks, ledger_clock: LedgerClock, configuration: LiveConfiguration, log: FilteringBoundLogger
    ) -> None:
        self._clocks = clocks
        self._ledger_clock = ledger_clock
        self._configuration = configuration
        self._log = log
        self._reported = False
        self._correct_at_s = 0.0

    @property
    def problem(self) -> str | None:
        """Why at least one policy cannot use the database's clock; None if all can."""
        return self._clocks.problem(self._strictest_limit_s)

    def closed_because(self, policy: str | None = None) -> str | None:
        """Why this policy (None: every policy) cannot use the database's clock; None if it can."""
        settings = self._configuration.settings
        names = [policy] if policy is not None else [*settings.policies]
        limit_s = max((settings.clock_limit(name) for name in names), default=self._strictest_limit_s)
        return self._clocks.problem(limit_s)

    @property
    def _strictest_limit_s(self) -> float:
        return self._configuration.settings.clock_limit()

    async def correct_times(self) -> bool:
        """Correct times in the ledger that are impossibly far ahead, at most once per interval.

        Returns whether a schedule was corrected. Raises the database's errors.
        """
        if time.monotonic() < self._correct_at_s:
            return False
        try:
            await self._ledger_clock.require_time(self._strictest_limit_s)
        except ClockError:
            return False
        self._correct_at_s = time.monotonic() + CORRECTION_INTERVAL_S
        corrections = await self._ledger_clock.correct_ledger_times(self._strictest_limit_s)
        for correction in corrections:
            self._log.warning("clock.corrected", **correction.values())
        return any(correction.column == "processed_until" for correction in corrections)

    def report_change(self) -> bool:
        """Log once that the clocks differ, and once that they agree; returns whether they agree again since now."""
        problem = self.problem
        if problem is not None and not self._reported:
            self._reported = True
            self._log.error("clock.difference", detail=problem, difference_s=round(self._clocks.difference, 3))
        elif problem is None and self._reported:
            self._reported = False
            self._correct_at_s = 0.0
            self._log.info("clock.agrees", difference_s=round(self._clocks.difference, 3))
            return True
        return False
