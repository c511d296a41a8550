"""Wakes the daemon when a scheduled time comes.

APScheduler only wakes the daemon; its jobs set an event. A poll of the ledger, once a second and by the database's
clock, decides which time has come. A host whose clock is wrong or was set, or a process that was stopped, therefore
runs nothing twice and forgets nothing.
"""

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
    """Calls `wake` at the times of schedules. A wake-up may be early or late: the ledger decides which run is due."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._scheduler = AsyncIOScheduler(
            timezone=UTC,
            # No misfire is too late for APScheduler: `catch_up` decides that.
            job_defaults={"coalesce": True, "misfire_grace_time": None, "max_instances": 1},
        )

    def start(self) -> None:
        """Begin to wake."""
        self._scheduler.start()

    def follow(self, schedules: Mapping[str, CronSchedule]) -> None:
        """Wake at the times of these schedules, by any name, and of no others."""
        for job in self._scheduler.get_jobs():
            if job.id not in schedules:
                job.remove()
        for policy, schedule in schedules.items():
            self._scheduler.add_job(self._wake_daemon, _CronTrigger(schedule), id=policy, replace_existing=True)

    def stop(self) -> None:
        """Wake no more."""
        self._scheduler.shutdown(wait=False)

    async def _wake_daemon(self) -> None:  # APScheduler would run a plain function in a thread
        self._wake()


class _CronTrigger(BaseTrigger):  # type: ignore[misc] # APScheduler has no types
    """Gives APScheduler the times of a schedule. APScheduler's own cron trigger reads weekday 0 as Monday."""

    def __init__(self, schedule: CronSchedule) -> None:
        self._schedule = schedule

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime | None:
        return next(self._schedule.after(previous_fire_time or now), None)
