"""Processes a due run: plans it, records missed times, advances the schedule.

A run is planned before older times are recorded as missed, because a missed row could otherwise claim that a newer
time was run instead when it was not. A failure leaves the schedule where it was; the next try repeats every step, and
the ledger ignores steps that were already done.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import psycopg

from retention.errors import RetentionError
from retention.ledger.database_errors import UNAVAILABLE, describe_unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from structlog.typing import FilteringBoundLogger

    from retention.daemon.scheduler import Due, ScheduleState
    from retention.engine.counters import ProcessCounters
    from retention.ledger.schedules import ScheduleStore
    from retention.runs.checkpoints import Checkpoints
    from retention.runs.model import Planned
    from retention.runs.service import RunService
    from retention.settings.policy import Policy

RETRY_AVAILABLE_S = 1.0
"""Seconds before the next try after the database was away or busy."""

RETRY_FAILED_S = 10.0
"""Seconds before the next try after any other failure."""


class ScheduledRuns:
    """Plans due runs and keeps the ledger's schedules. `redact` masks secrets in error messages."""

    def __init__(
        self,
        schedules: ScheduleStore,
        checkpoints: Checkpoints,
        counters: ProcessCounters,
        redact: Callable[[str], str],
        log: FilteringBoundLogger,
    ) -> None:
        self._schedules = schedules
        self._checkpoints = checkpoints
        self._counters = counters
        self._redact = redact
        self._log = log

    async def plan(self, due: Due[Policy], runs: RunService) -> Planned | None:
        """Plan the due run and record the missed times; a failure postpones the schedule instead of being raised.

        Returns None if no time is to be run, or if another process planned its run first.
        """
        state, planned = due.state, None
        try:
            if due.chosen:
                planned = await runs.plan_scheduled(state.entry, due.chosen[-1])
            if planned is not None:
                self._log_fired(due, planned)
            await self._record_missed(due)
            if due.until is not None:
                await self._schedules.advance(*state.key, due.until)
                state.advance(due.until)
        except UNAVAILABLE as error:
            problem = self._redact(describe_unavailable(error))
            if state.postpone(problem, time.monotonic() + RETRY_AVAILABLE_S):
                self._log.warning("schedule.deferred", policy=state.entry.name, problem=problem)
        except Exception as error:  # noqa: BLE001 - a failure of one schedule must not stop the others
            self._fail(state, error)
        finally:
            state.end()
        return planned  # even if recording failed: this process owns the run and can start it

    def _log_fired(self, due: Due[Policy], planned: Planned) -> None:
        scheduled_for = due.chosen[-1]
        self._log.info(
            "schedule.fired",
            policy=due.state.entry.name,
            run_id=str(planned.run_id),
            scheduled_for=scheduled_for.isoformat(),
            late_s=round((due.now - scheduled_for).total_seconds(), 3),
        )

    async def _record_missed(self, due: Due[Policy]) -> None:
        if not due.missed:
            return
        state, policy, reason = due.state, due.state.entry, due.reason
        recorded = await self._schedules.record_missed(policy.name, policy.mode, policy.as_record(), due.missed, reason)
        for moment in state.report_missed(recorded):
            self._counters.missed[policy.name] += 1
            self._log.error(
                "schedule.missed",
                policy=policy.name,
                scheduled_for=moment.astimezone(state.schedule.zone).isoformat(),
                reason=reason,
            )
        await self._checkpoints.make()

    def _fail(self, state: ScheduleState[Policy], error: Exception) -> None:
        problem = self._redact(str(error).strip().partition("\n")[0])
        if state.postpone(problem, time.monotonic() + RETRY_FAILED_S):
            is_bug = not isinstance(error, (RetentionError, psycopg.Error))
            self._log.error("schedule.failed", policy=state.entry.name, problem=problem, exc_info=is_bug)
