"""The part of a daemon that makes reports: their schedules, and one report at a time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from retention.daemon.scheduler import report_scheduler
from retention.ledger.database_errors import UNAVAILABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from structlog.typing import FilteringBoundLogger

    from retention.daemon.report_maker import ReportMaker
    from retention.daemon.scheduled_reports import ScheduledReports
    from retention.ledger.schedules import PendingWork


class ReportWork:
    """Plans and makes reports. The daemon says when; a stop gives the report in progress back."""

    def __init__(self, scheduled: ScheduledReports, maker: ReportMaker, log: FilteringBoundLogger) -> None:
        self.scheduler = report_scheduler()
        self._scheduled = scheduled
        self._maker = maker
        self._log = log
        self._making: asyncio.Task[None] | None = None
        self._stopping = False

    def start(self, work: PendingWork, spawn: Callable[[Coroutine[Any, Any, None]], None]) -> int:
        """Start planning the times that have come, and making the reports that are due; returns how many times came."""
        due = self.scheduler.due(work.now)
        for one in due:
            one.state.begin()
            spawn(self._scheduled.plan(one))
        if work.report_due and not self._stopping and (self._making is None or self._making.done()):
            self._making = asyncio.create_task(self._make())
        return len(due)

    def stop(self) -> None:
        """Make no further report, and give the present one back: another replica, or the next start, makes it."""
        self._stopping = True
        if self._making is not None:
            self._making.cancel()

    async def wait(self, timeout_s: float) -> None:
        """Wait until no report is being made, for at most `timeout_s` seconds."""
        if self._making is not None:
            await asyncio.wait({self._making}, timeout=timeout_s)

    async def _make(self) -> None:
        try:
            await self._maker.make_due()
        except UNAVAILABLE:
            pass  # the lease ends, and the report is made again
        except Exception:  # noqa: BLE001 - runs continue without reports
            self._log.exception("report.crashed")
