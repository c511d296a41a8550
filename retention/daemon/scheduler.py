"""The state of every schedule, and the times that are due: values alone, without ledger, log or event loop.

Policies and reports have one `Scheduler` each. `Scheduler.due(now)` tells which scheduled times have come;
`ScheduledRuns` and `ScheduledReports` plan and record them, and report back to the `ScheduleState`, which alone changes
itself. All times are the database's, because replicas share them. Pauses
between tries are measured with this process's monotonic clock, because the database's may jump.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, NamedTuple, Protocol, TypeVar

from retention.core.schedule.due import decide_by_period, decide_due
from retention.core.schedule.missed import missed_reason
from retention.core.schedule.period import period_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime, timedelta

    from retention.core.schedule.cron import CronSchedule
    from retention.core.schedule.due import DueTimes
    from retention.ledger.schedules import ScheduleKind
    from retention.settings.policy import Policy
    from retention.settings.report import ScheduledReport

MAX_TIMES = 1000
"""Missed times that are recorded one by one. If more have passed, only the newest are recorded."""


class Scheduled(Protocol):
    """A policy or a report that the configuration gives a schedule."""

    @property
    def name(self) -> str:
        """Its name in the configuration."""

    @property
    def schedule(self) -> str | None:
        """Five cron fields; None where it has no schedule."""

    @property
    def timezone(self) -> str | None:
        """The zone of the schedule; None where it has no schedule."""

    @property
    def catch_up(self) -> timedelta | None:
        """How late a time may be."""

    @property
    def times(self) -> CronSchedule | None:
        """Its scheduled times; None where it has no schedule."""


T = TypeVar("T", bound=Scheduled)


class ScheduleKey(NamedTuple):
    """Identifies a schedule: the same policy or report with another expression or zone has another schedule."""

    kind: ScheduleKind
    name: str
    schedule: str
    timezone: str


@dataclass(slots=True)
class ScheduleState(Generic[T]):
    """One schedule of the policy or report `entry`, and how far this process has processed it.

    `processed_until`: each time up to this one has a run or is recorded as missed; None before the ledger was read.
    `watched_since`: since when this process would notice a time at once. `next_time`: the first unprocessed time.
    `retry_at_s`: no retry before this moment (seconds of the monotonic clock). `problem`: why the schedule could not
    be run at the last try. `in_progress`: its due times are being planned and recorded. `reported`: unprocessed times
    whose miss this process has already logged.
    """

    kind: ScheduleKind
    entry: T
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
        return ScheduleKey(self.kind, self.entry.name, str(self.entry.schedule), str(self.entry.timezone))

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
class Due(Generic[T]):
    """The times of one schedule that have come: the `chosen` ones have a run or a report each, the others are missed.

    Both have the oldest first, `reason` says why times are missed. `until` is the newest time: the schedule is
    processed up to it once all are recorded. `now` is when this was decided.
    """

    state: ScheduleState[T]
    now: datetime
    chosen: tuple[datetime, ...]
    missed: tuple[datetime, ...]
    reason: str
    until: datetime | None


class Scheduler(Generic[T]):
    """The schedules of the configured policies, or of the reports.

    `decide` chooses among the times that have come and are not processed, of an entry that is watched since a moment.
    `monotonic` gives this process's clock in seconds.
    """

    def __init__(
        self,
        kind: ScheduleKind,
        decide: Callable[[T, Sequence[datetime], datetime, datetime], DueTimes],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._kind = kind
        self._decide = decide
        self._monotonic = monotonic
        self._states: dict[ScheduleKey, ScheduleState[T]] = {}
        self._removed: set[ScheduleKey] = set()

    def configure(self, entries: Iterable[T]) -> dict[str, CronSchedule]:
        """Follow the schedules of these policies or reports and no others; returns them by name.

        A schedule that was followed before keeps its state, under the entry as it is now: its rails may have changed.
        """
        wanted = [
            ScheduleState(self._kind, entry, schedule) for entry in entries if (schedule := entry.times) is not None
        ]
        known, self._states = self._states, {}
        for state in wanted:
            followed = known.get(state.key)
            if followed is not None:
                followed.entry = state.entry
            self._states[state.key] = followed or state
        self._removed = (self._removed | known.keys()) - self._states.keys()
        return {state.entry.name: state.schedule for state in wanted}

    @property
    def removed(self) -> list[ScheduleKey]:
        """Schedules that left the configuration and whose row in the ledger is not up to date yet."""
        return [*self._removed]

    def forget_removed(self, key: ScheduleKey) -> None:
        """Drop a removed schedule: the ledger knows that none of its times can be missed."""
        self._removed.discard(key)

    @property
    def unregistered(self) -> list[ScheduleState[T]]:
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

    def due(self, now: datetime) -> list[Due[T]]:
        """List the due times at `now`, at most one for each schedule; changes nothing."""
        clock_s = self._monotonic()
        return [
            self._due(state, now)
            for state in self._states.values()
            if state.next_time is not None
            and state.next_time <= now
            and not state.in_progress
            and state.retry_at_s <= clock_s
        ]

    def _due(self, state: ScheduleState[T], now: datetime) -> Due[T]:
        assert state.processed_until is not None
        assert state.watched_since is not None
        times = state.schedule.between(state.processed_until, now, MAX_TIMES)
        due = self._decide(state.entry, times, now, state.watched_since)
        newest = times[-1] if times else None
        reason = missed_reason(
            newer_is_run=newest in due.chosen, catch_up=state.entry.catch_up, problem=state.problem, kind=state.kind
        )
        return Due(state, now, due.chosen, due.missed, reason, newest)


def policy_scheduler(monotonic: Callable[[], float] = time.monotonic) -> Scheduler[Policy]:
    """Return a scheduler of policies: of several times that have come, the newest has a run."""

    def decide(policy: Policy, times: Sequence[datetime], now: datetime, watched_since: datetime) -> DueTimes:
        return decide_due(times, now, policy.catch_up, watched_since)

    return Scheduler("policy", decide, monotonic)


def report_scheduler(monotonic: Callable[[], float] = time.monotonic) -> Scheduler[ScheduledReport]:
    """Return a scheduler of reports: each period that has come has a report."""

    def decide(report: ScheduledReport, times: Sequence[datetime], now: datetime, watched_since: datetime) -> DueTimes:
        periods = [period_at(report.period, time, report.timezone).name for time in times]
        return decide_by_period(times, periods, now, report.catch_up, watched_since)

    return Scheduler("report", decide, monotonic)
