"""Finds stalled runs for a daemon, and runs whose approval has expired."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from retention.runs.planning import log_stalled

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from structlog.typing import FilteringBoundLogger

    from retention.ledger.stalled_runs import StalledRuns
    from retention.runs.checkpoints import Checkpoints

CHECK_INTERVAL_S = 10.0
"""Seconds between two checks."""

TAKEOVER_S = 60.0
"""Seconds after its start by which a daemon has resumed every scheduled run that it can.

Before that, a scheduled run without a process may still be resumed, so the daemon does not end it.
"""


class StallWatch:
    """Logs runs that make no progress, in whichever process they are; the next pass notifies people of them."""

    def __init__(
        self,
        stalls: StalledRuns,
        expire_approvals: Callable[[], Awaitable[None]],
        checkpoints: Checkpoints,
        log: FilteringBoundLogger,
    ) -> None:
        self._stalls = stalls
        self._expire_approvals = expire_approvals
        self._checkpoints = checkpoints
        self._log = log
        self._started_at_s = time.monotonic()
        self._checked_at_s = -CHECK_INTERVAL_S

    async def check(self) -> None:
        """Find stalled runs, and those whose approval has expired, unless the last check is too recent.

        Raises the database's errors.
        """
        now_s = time.monotonic()
        if now_s - self._checked_at_s < CHECK_INTERVAL_S:
            return
        self._checked_at_s = now_s
        await self._expire_approvals()
        found = await self._stalls.mark_stalled_runs(scheduled=now_s - self._started_at_s > TAKEOVER_S)
        log_stalled(self._log, found)
        if any(run.interrupted for run in found):
            await self._checkpoints.make()
