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

    from retention.daemon.scheduler import DueRun, Scheduler, ScheduleState
    from retention.engine.counters import ProcessCounters
    from retention.ledger.schedules import ScheduleStore
    from retention.runs.checkpoints import Checkpoints
    from retention.runs.model import Planned
    from retention.runs.service import RunService

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

    async def register(self, scheduler: Scheduler) -> None:
        """Read how far each new schedule is processed, and close the rows of removed ones.

        A removed schedule misses nothing: if it comes back to the configuration, it begins anew.
        Raises the database's errors.
        """
        for key in scheduler.removed:
            await self._schedules.advance(*key, None)
            scheduler.forget_removed(key)
        for state in scheduler.unregistered:
            state.register(*await self._schedules.register(*state.key))

    async def plan(self, due: DueRun, runs: RunService) -> Planned | None:
        """Plan the due run and record the missed times; a failure postpones the schedule instead of being raised.

        Returns None if no time is to be run, or if another process planned its run first.
        """
        state, planned = due.state, None
        try:
            if due.run_at is not None:
                planned = await runs.plan_scheduled(state.policy, due.run_at)
            if planned is not None:
                self._log_fired(due, planned)
            await self._record_missed(due)
            if due.until is not None:
                await self._schedules.advance(*state.key, due.until)
                state.advance(due.until)
        except UNAVAILABLE as error:
            problem = self._redact(describe_unavailable(error))
            if state.postpone(problem, time.monotonic() + RETRY_AVAILABLE_S):
                self._log.warning("schedule.deferred", policy=state.policy.name, problem=problem)
        except Exception as error:  # noqa: BLE001 - a failure of one schedule must not stop the others
            self._fail(state, error)
        finally:
            state.end()
        return planned  # even if recording failed: this process owns the run and can start it

    def _log_fired(self, due: DueRun, planned: Planned) -> None:
        assert due.run_at is not None
        self._log.info(
            "schedule.fired",
            policy=due.state.policy.name,
            run_id=str(planned.run_id),
            scheduled_for=due.run_at.isoformat(),
            late_s=round((due.now - due.run_at).total_seconds(), 3),
        )

    async def _record_missed(self, due: DueRun) -> None:
        if not due.missed:
            return
        state, policy, reason = due.state, due.state.policy, due.reason
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

    def _fail(self, state: ScheduleState, error: Exception) -> None:
        problem = self._redact(str(error).strip().partition("\n")[0])
        if state.postpone(problem, time.monotonic() + RETRY_FAILED_S):
            is_bug = not isinstance(error, (RetentionError, psycopg.Error))
            self._log.error("schedule.failed", policy=state.policy.name, problem=problem, exc_info=is_bug)
