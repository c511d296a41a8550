"""A daemon's eye on runs that stand still."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from retention.runs.planning import log_stalled

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

    from retention.ledger.stalled_runs import StalledRuns

EVERY = 10.0
"""Seconds between looks."""

TAKEN_OVER = 60.0
"""Seconds after which a daemon has taken over all the scheduled runs that it can."""


class StallWatch:
    """Finds runs that make no progress, whoever works on them; people are told by the daemon's next look."""

    def __init__(self, stalls: StalledRuns, log: FilteringBoundLogger) -> None:
        self._stalls = stalls
        self._log = log
        self._began = time.monotonic()
        self._looked_at = -EVERY

    async def look(self) -> None:
        """Look, unless the last look was just now. Raises what the database raises."""
        now = time.monotonic()
        if now - self._looked_at < EVERY:
            return
        self._looked_at = now
        log_stalled(self._log, await self._stalls.mark_stalled_runs(scheduled=now - self._began > TAKEN_OVER))
