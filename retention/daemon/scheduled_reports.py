"""Records the times of reports that have come: one is planned for each period, and the others are missed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import psycopg

from retention.core.schedule.missed import missed_reason
from retention.core.schedule.period import period_at
from retention.daemon.scheduled_runs import RETRY_AVAILABLE_S, RETRY_FAILED_S
from retention.errors import RetentionError
from retention.ledger.database_errors import UNAVAILABLE, describe_unavailable
from retention.ledger.scheduled_reports import PlannedTime

if TYPE_CHECKING:
    from collections.abc import Callable

    from structlog.typing import FilteringBoundLogger

    from retention.daemon.scheduler import Due
    from retention.ledger.scheduled_reports import RecordedTime, ReportStore
    from retention.ledger.schedules import ScheduleStore
    from retention.settings.report import ScheduledReport


class ScheduledReports:
    """Plans due reports and keeps their schedules. `redact` masks secrets in error messages."""

    def __init__(
        self,
        schedules: ScheduleStore,
        reports: ReportStore,
        redact: Callable[[str], str],
        log: FilteringBoundLogger,
    ) -> None:
        self._schedules = schedules
        self._reports = reports
        self._redact = redact
        self._log = log

    async def plan(self, due: Due[ScheduledReport]) -> None:
        """Record the due times; a failure postpones the schedule instead of being raised."""
        state, report = due.state, due.state.entry
        try:
            if due.until is not None:
                recorded = await self._reports.plan(report.name, report.as_record(), _planned(due))
                self._log_times(due, recorded)
                await self._schedules.advance(*state.key, due.until)
                state.advance(due.until)
        except UNAVAILABLE as error:
            problem = self._redact(describe_unavailable(error))
            if state.postpone(problem, time.monotonic() + RETRY_AVAILABLE_S):
                self._log.warning("schedule.deferred", report=report.name, problem=problem)
        except Exception as error:  # noqa: BLE001 - a failure of one schedule must not stop the others
            problem = self._redact(str(error).strip().partition("\n")[0])
            if state.postpone(problem, time.monotonic() + RETRY_FAILED_S):
                is_bug = not isinstance(error, (RetentionError, psycopg.Error))
                self._log.error("schedule.failed", report=report.name, problem=problem, exc_info=is_bug)
        finally:
            state.end()

    def _log_times(self, due: Due[ScheduledReport], recorded: list[RecordedTime]) -> None:
        """Log each time once, though a try may be repeated after its answer was lost."""
        report, zone = due.state.entry.name, due.state.schedule.zone
        fresh = {*due.state.report_missed(time.scheduled_for for time in recorded)}
        for one in recorded:
            if one.scheduled_for not in fresh:
                continue
            if one.scheduled_for in due.chosen:
                late_s = round((due.now - one.scheduled_for).total_seconds(), 3)
                self._log.info(
                    "schedule.fired",
                    report=report,
                    report_id=str(one.report_id),
                    period=one.period,
                    scheduled_for=one.scheduled_for.isoformat(),
                    late_s=late_s,
                )
            else:
                self._log.error(
                    "schedule.missed",
                    report=report,
                    period=one.period,
                    scheduled_for=one.scheduled_for.astimezone(zone).isoformat(),
                    reason=one.problem,
                )


def _planned(due: Due[ScheduledReport]) -> list[PlannedTime]:
    """Return the due times, oldest first, each with its period as it was then."""
    report = due.state.entry
    periods = {
        moment: period_at(report.period, moment, report.timezone) for moment in sorted((*due.chosen, *due.missed))
    }
    made = {periods[moment].name for moment in due.chosen}
    return [
        PlannedTime(
            moment,
            period,
            None
            if moment in due.chosen
            else missed_reason(
                newer_is_run=period.name in made,
                catch_up=report.catch_up,
                problem=None if period.name in made else due.state.problem,
                kind="report",
            ),
        )
        for moment, period in periods.items()
    ]
