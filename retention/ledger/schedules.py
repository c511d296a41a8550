"""Schedules: up to when their times are decided, and what there is for a daemon to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg.types.json import Jsonb

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from retention.ledger.clocks import Clocks
    from retention.ledger.database import Database

REQUESTED_BY = "schedule"
"""Who asked for a scheduled run."""


@dataclass(frozen=True, slots=True)
class PendingWork:
    """What one look showed. `runs` are those to work on, `untold` whether somebody has to be told something."""

    now: datetime
    runs: tuple[UUID, ...]
    untold: bool


class ScheduleStore:
    """The ledger as a daemon sees it. All times are the database's."""

    def __init__(self, database: Database, replica: str, clocks: Clocks | None = None) -> None:
        self._database = database.prompt()
        self._replica = replica
        self._clocks = clocks

    async def look(self, targets: Sequence[str]) -> PendingWork:
        """See what there is to do; `targets` are those whom this process can tell something."""
        began = self._clocks and self._clocks.moment()
        row = await self._database.row("schedules/poll_work", targets=list(targets))
        if self._clocks and began:
            self._clocks.observe(began, row.now)
        return PendingWork(row.now, tuple(row.runs), row.to_notify)

    async def look_after(self, policy: str, schedule: str, timezone: str) -> tuple[datetime, datetime]:
        """Begin to look after a schedule; returns up to when its times are decided, and the present moment.

        A schedule that is new, or was changed, begins now: nothing of it can have been missed.
        """
        row = await self._database.row(
            "schedules/register_schedule", policy=policy, schedule=schedule, timezone=timezone
        )
        return row.processed_until, row.now

    async def decided(self, policy: str, schedule: str, timezone: str, until: datetime | None) -> None:
        """Record that the schedule's times up to this one are run or missed; None: that it is looked after no more."""
        await self._database.count(
            "schedules/advance_schedule", policy=policy, schedule=schedule, timezone=timezone, until=until
        )

    async def missed(
        self, policy: str, mode: str, settings: Mapping[str, Any], times: Sequence[datetime], reason: str
    ) -> list[datetime]:
        """Record times that passed without a run; returns those that this process recorded, the oldest first."""
        rows = await self._database.rows(
            "schedules/record_missed",
            policy=policy,
            mode=mode,
            settings=Jsonb(dict(settings)),
            times=list(times),
            reason=reason,
            requested_by=REQUESTED_BY,
            replica=self._replica,
        )
        return sorted(row.scheduled_for for row in rows)
