"""The state of every policy's schedule, and the runs that are due: values alone, without ledger, log or event loop.

`Scheduler.due(now)` tells which scheduled times have come; `ScheduledRuns` plans and records them, and reports back
to the `ScheduleState`, which alone changes itself. All times are the database's, because replicas share them. Pauses
between tries are measured with this process's monotonic clock, because the database's may jump.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from retention.core.schedule.due import decide_due
from retention.core.schedule.missed import missed_reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from retention.core.schedule.cron import CronSchedule
    from retention.settings.policy import Policy

MAX_TIMES = 1000
"""Missed times that are recorded one by one. If more have passed, only the newest are recorded."""


class ScheduleKey(NamedTuple):
    """Identifies a schedule: the same policy with another expression or zone has another schedule."""

    policy: str
    schedule: str
    timezone: str


@dataclass(slots=True)
class ScheduleState:
    """One policy's schedule, and how far this process has processed it.

    `processed_until`: each time up to this one has a run or is recorded as missed; None before the ledger was read.
    `watched_since`: since when this process would notice a time at once. `next_time`: the first unprocessed time.
    `retry_at_s`: no retry before this moment (seconds of the monotonic clock). `problem`: why the schedule could not
    be run at the last try. `in_progress`: its due times are being planned and recorded. `reported`: unprocessed times
    whose miss this process has already logged.
    """

    policy: Policy
    schedule: CronSchedule
    processed_until: datetime | None = None
    watched_since: datetime | None = None
    next_time: datetime | None = None
    retry_at_s: float = 0.0
    problem: str | None = None
    in_progress: bool = False
    reported: set[datetime] = field(default_factory=set)

    @property
    def key(self) -> ScheduleKey:
        """The identity of the schedule."""
        return ScheduleKey(self.policy.name, str(self.policy.schedule), str(self.policy.timezone))

    def register(self, processed_until: datetime, now: datetime) -> None:
        """Take over how far the ledger says the schedule is processed, and watch it from `now` on."""
        self.watched_since = self.watched_since or now
        problem = self.problem
        self.advance(processed_until)
        # The problem stays the reason for a time that has come, should it be missed.
        self.problem = problem if self.next_time is not None and self.next_time <= now else None

    def advance(self, until: datetime) -> None:
        """Go on to the times after `until`: all others have a run or are recorded as missed."""
        self.processed_until = until
        self.next_time = next(self.schedule.after(until), None)
        self.problem = None
        self.reported.clear()

    def begin(self) -> None:
        """Mark the due times as in progress, so that no later pass plans them a second time."""
        self.in_progress = True

    def end(self) -> None:
        """Let the next pass look at the schedule again."""
        self.in_progress = False

    def block(self, problem: str) -> None:
        """Remember why the schedule cannot be run now: it becomes the reason if a time is missed."""
        self.problem = problem

    def postpone(self, problem: str, retry_at_s: float) -> bool:
        """Keep the due times for a later try; returns whether the problem differs from the previous one."""
        is_new = problem != self.problem
        self.problem, self.retry_at_s = problem, retry_at_s
        return is_new

    def report_missed(self, times: Iterable[datetime]) -> list[datetime]:
        """Return the times that this process has not logged as missed yet, and remember them."""
        fresh = [moment for moment in times if moment not in self.reported]
        self.reported.update(fresh)
        return fresh


@dataclass(frozen=True, slots=True)
class DueRun:
    """The times of one schedule that have come: at most the newest is run (`run_at`), the others are missed.

    `missed` has the oldest first, `reason` says why they are missed. `until` is the newest time: the schedule is
    processed up to it once the run is planned and the missed times are recorded. `now` is when this was decided.
    """

    state: ScheduleState
    now: datetime
    run_at: datetime | None
    missed: tuple[datetime, ...]
    reason: str
    until: datetime | None


class Scheduler:
    """The schedules of the configured policies. `monotonic` gives this process's clock in seconds."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._states: dict[ScheduleKey, ScheduleState] = {}
        self._removed: set[ScheduleKey] = set()

    def configure(self, policies: Iterable[Policy]) -> dict[str, CronSchedule]:
        """Follow the schedules of these policies and no others; returns them by policy.

        A schedule that was followed before keeps its state, under the policy as it is now: its rails may have changed.
        """
        wanted = [ScheduleState(policy, schedule) for policy in policies if (schedule := policy.times) is not None]
        known, self._states = self._states, {}
        for state in wanted:
            followed = known.get(state.key)
            if followed is not None:
                followed.policy = state.policy
            self._states[state.key] = followed or state
        self._removed = (self._removed | known.keys()) - self._states.keys()
        return {state.policy.name: state.schedule for state in wanted}

    @property
    def removed(self) -> list[ScheduleKey]:
        """Schedules that left the configuration and whose row in the ledger is not up to date yet."""
        return [*self._removed]

    def forget_removed(self, key: ScheduleKey) -> None:
        """Drop a removed schedule: the ledger knows that none of its times can be missed."""
        self._removed.discard(key)

    @property
    def unregistered(self) -> list[ScheduleState]:
        """Schedules of which this process has not read yet how far they are processed."""
        return [state for state in self._states.values() if state.processed_until is None]

    def reread(self) -> None:
        """Have the ledger read again for each idle schedule: a corrected clock may have changed its row."""
        for state in self._states.values():
            if not state.in_progress:
                state.processed_until = state.next_time = None

    def block(self, problem: str) -> None:
        """Remember why no schedule can be run now."""
        for state in self._states.values():
            state.block(problem)

    def due(self, now: datetime) -> list[DueRun]:
        """List the due runs at `now`, at most one for each schedule; changes nothing."""
        clock_s = self._monotonic()
        return [
            _due_run(state, now)
            for state in self._states.values()
            if state.next_time is not None
            and state.next_time <= now
            and not state.in_progress
            and state.retry_at_s <= clock_s
        ]


def _due_run(state: ScheduleState, now: datetime) -> DueRun:
    assert state.processed_until is not None
    assert state.watched_since is not None
    times = state.schedule.between(state.processed_until, now, MAX_TIMES)
    catch_up = state.policy.catch_up
    due = decide_due(times, now, catch_up, state.watched_since)
    reason = missed_reason(newer_is_run=due.run is not None, catch_up=catch_up, problem=state.problem)
    return DueRun(state, now, due.run, due.missed, reason, times[-1] if times else None)
