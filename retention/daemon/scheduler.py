"""Every policy's schedule: which of its times have come, which of these is run, and which are missed."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import psycopg

from retention.core.notifications.events import MISSED
from retention.core.schedule.due import decide_due
from retention.errors import RetentionError
from retention.ledger.database_errors import UNAVAILABLE, describe_unavailable
from retention.settings.durations import format_duration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from structlog.typing import FilteringBoundLogger

    from retention.core.schedule.cron import CronSchedule
    from retention.core.schedule.due import DueTimes
    from retention.engine.counters import ProcessCounters
    from retention.ledger.schedules import ScheduleStore
    from retention.runs.model import Planned
    from retention.settings.model import Policy

LIMIT = 1000
"""Missed times that are recorded one by one; of more than these only the newest are."""

RETRY = 10.0
"""Seconds before a run that could not be planned is tried again."""


@dataclass(slots=True)
class ScheduleState:
    """One policy's schedule. All times are the database's; `retry_at` is this process's, in monotonic seconds.

    `since`: up to when its times are decided. `watched_since`: from when on this process would have seen one come.
    `told`: times after `since` of which it is told already that they were missed.
    """

    policy: Policy
    schedule: CronSchedule
    since: datetime | None = None
    watched_since: datetime | None = None
    next: datetime | None = None
    retry_at: float = 0.0
    problem: str | None = None
    busy: bool = False
    told: set[datetime] = field(default_factory=set)

    @property
    def key(self) -> tuple[str, str, str]:
        """What makes it this schedule and no other."""
        return self.policy.name, str(self.policy.schedule), str(self.policy.timezone)

    def begin(self, since: datetime, now: datetime) -> None:
        """Look after it from now on; what came after `since` is still to be decided."""
        self.watched_since = self.watched_since or now
        problem = self.problem
        self.decided(since)
        self.problem = problem if self.next is not None and self.next <= now else None

    def decided(self, until: datetime) -> None:
        """Go on to the times after this one."""
        self.since = until
        self.next = next(self.schedule.after(until), None)
        self.problem = None
        self.told.clear()


class PlanRun(Protocol):
    """Plans a policy's run for a scheduled time; None where that time has a run already, somebody else's."""

    async def __call__(self, policy: Policy, scheduled_for: datetime) -> Planned | None:
        """Plan it."""


class Scheduler:
    """The schedules that a daemon looks after."""

    def __init__(
        self, schedules: ScheduleStore, tally: ProcessCounters, log: FilteringBoundLogger, redact: Callable[[str], str]
    ) -> None:
        self._schedules = schedules
        self._tally = tally
        self._log = log
        self._redact = redact
        self._watches: dict[tuple[str, str, str], ScheduleState] = {}
        self._dropped: set[tuple[str, str, str]] = set()

    def set(self, policies: Iterable[Policy]) -> Mapping[str, CronSchedule]:
        """Look after the schedules of these policies, and of no others; returns them by policy."""
        wanted = [ScheduleState(policy, times) for policy in policies if (times := policy.times) is not None]
        known, self._watches = self._watches, {}
        for watch in wanted:
            old = known.get(watch.key)
            if old is not None:
                old.policy = watch.policy  # its rails may have changed
            self._watches[watch.key] = old or watch
        self._dropped = (self._dropped | known.keys()) - self._watches.keys()
        return {watch.policy.name: watch.schedule for watch in wanted}

    async def begin(self) -> None:
        """Find out, for each schedule that is new here, up to when its times are decided.

        One that was taken out of the configuration promises nothing any more: if it comes back, it begins anew.
        """
        while self._dropped:
            key = next(iter(self._dropped))
            await self._schedules.decided(*key, None)
            self._dropped.discard(key)
        for watch in self._watches.values():
            if watch.since is None:
                watch.begin(*await self._schedules.look_after(*watch.key))

    def forget(self) -> None:
        """Ask the ledger anew up to when each schedule's times are decided; who watched them, and what for, stays."""
        for watch in self._watches.values():
            if not watch.busy:
                watch.since = watch.next = None

    def note(self, problem: str) -> None:
        """Remember why no time can be run just now: it is the reason, should one be missed."""
        for watch in self._watches.values():
            watch.problem = problem

    def due(self, now: datetime) -> list[ScheduleState]:
        """List the schedules of which a time has come."""
        clock = time.monotonic()
        return [
            watch
            for watch in self._watches.values()
            if watch.next is not None and watch.next <= now and not watch.busy and watch.retry_at <= clock
        ]

    async def tick(self, watch: ScheduleState, now: datetime, plan: PlanRun) -> Planned | None:
        """Decide about the times that have come: plan the run that is due, if it falls to us, and record the missed."""
        assert watch.since is not None
        assert watch.watched_since is not None
        watch.busy, planned = True, None
        times = watch.schedule.between(watch.since, now, LIMIT)
        due = decide_due(times, now, watch.policy.catch_up, watch.watched_since)
        try:
            planned = await self._fire(watch, due, now, plan)
            await self._record(watch, due, times)
        except UNAVAILABLE as error:
            watch.retry_at = time.monotonic() + 1  # and once it is back, the time has come all the same
            self._put_off(watch, error)
        except Exception as error:  # noqa: BLE001 - whatever it is, the other schedules go on, and it is told
            watch.retry_at = time.monotonic() + RETRY
            problem = self._redact(str(error).strip().partition("\n")[0])
            ours = not isinstance(error, (RetentionError, psycopg.Error))
            if problem != watch.problem:  # it is tried again and again, and told once
                self._log.error("schedule.failed", policy=watch.policy.name, problem=problem, exc_info=ours)
            watch.problem = problem
        finally:
            watch.busy = False
        return planned  # also where it could not be recorded yet: the run is ours, and need not wait for that

    def _put_off(self, watch: ScheduleState, error: Exception) -> None:
        """Say why a time that has come is not run yet, each reason once."""
        problem = self._redact(describe_unavailable(error))
        if problem != watch.problem:
            self._log.warning("schedule.put_off", policy=watch.policy.name, problem=problem)
        watch.problem = problem

    async def _fire(self, watch: ScheduleState, due: DueTimes, now: datetime, plan: PlanRun) -> Planned | None:
        planned = await plan(watch.policy, due.run) if due.run is not None else None
        if due.run is not None and planned is not None:
            self._log.info(
                "schedule.fired",
                policy=watch.policy.name,
                run_id=str(planned.run_id),
                scheduled_for=due.run.isoformat(),
                late_s=round((now - due.run).total_seconds(), 3),
            )
        return planned

    async def _record(self, watch: ScheduleState, due: DueTimes, times: Sequence[datetime]) -> None:
        if due.missed:
            await self._miss(watch, due.missed, newer=due.run)
        if times:
            await self._schedules.decided(*watch.key, times[-1])
            watch.decided(times[-1])

    async def _miss(self, watch: ScheduleState, times: Iterable[datetime], newer: datetime | None) -> None:
        policy, reason = watch.policy, _why_missed(watch, newer)
        recorded = await self._schedules.missed(policy.name, policy.mode, policy.as_record(), list(times), reason)
        for moment in recorded:
            if moment in watch.told:
                continue
            watch.told.add(moment)
            self._tally.missed[policy.name] += 1
            self._log.error(
                "schedule.missed",
                policy=policy.name,
                scheduled_for=moment.astimezone(watch.schedule.zone).isoformat(),
                reason=reason,
            )


def _why_missed(watch: ScheduleState, newer: datetime | None) -> str:
    """The words that the ledger keeps; how they begin tells such a run from one that somebody cancelled."""
    why = f"; {watch.problem}" if watch.problem else ""
    if newer is not None:
        return f"{MISSED}a newer time was run instead{why}"
    catch_up = watch.policy.catch_up
    within = f"within catch_up ({format_duration(catch_up)})" if catch_up else "in time, and the policy has no catch_up"
    return f"{MISSED}no daemon could run it {within}{why}"
