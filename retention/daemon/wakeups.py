"""APScheduler as the alarm clock: one job for each schedule, and all that a job does is to wake the daemon."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from retention.core.schedule.cron import CronSchedule


class Wakeups:
    """Wakes at the times of schedules. Too early or too late is all the same: the ledger decides what is due."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._scheduler = AsyncIOScheduler(
            timezone=UTC,
            # Whether a time still counts when the wake-up comes late is not for the alarm clock to say.
            job_defaults={"coalesce": True, "misfire_grace_time": None, "max_instances": 1},
        )

    def start(self) -> None:
        """Begin to wake."""
        self._scheduler.start()

    def follow(self, schedules: Mapping[str, CronSchedule]) -> None:
        """Wake at the times of these schedules, by policy, and of no others."""
        for job in self._scheduler.get_jobs():
            if job.id not in schedules:
                job.remove()
        for policy, schedule in schedules.items():
            self._scheduler.add_job(self._wake_daemon, _CronTrigger(schedule), id=policy, replace_existing=True)

    def stop(self) -> None:
        """Wake no more."""
        self._scheduler.shutdown(wait=False)

    async def _wake_daemon(self) -> None:  # a coroutine function, or it would be run in a thread
        self._wake()


class _CronTrigger(BaseTrigger):  # type: ignore[misc] # APScheduler has no types
    """The times of a schedule, as APScheduler asks for them: its own cron trigger reads 0 as Monday."""

    def __init__(self, schedule: CronSchedule) -> None:
        self._schedule = schedule

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime | None:
        return next(self._schedule.after(previous_fire_time or now), None)
