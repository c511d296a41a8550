"""Schedules: the times that are processed, and the work that waits for a daemon."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from psycopg.types.json import Jsonb

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from retention.ledger.clocks import Clocks
    from retention.ledger.database import Database

ScheduleKind = Literal["policy", "report"]
"""The kind of a schedule: a policy and a report may have the same name."""

REQUESTED_BY = "schedule"
"""The requester of a scheduled run."""


@dataclass(frozen=True, slots=True)
class PendingWork:
    """The result of one poll: the runs to work on, and whether a notification (`untold`) or a report waits."""

    now: datetime
    runs: tuple[UUID, ...]
    untold: bool
    report_due: bool


class ScheduleStore:
    """The schedules of the ledger, for a daemon. All times are the database's."""

    def __init__(self, database: Database, replica: str, clocks: Clocks | None = None) -> None:
        self._database = database.control()
        self._replica = replica
        self._clocks = clocks

    async def poll(self, targets: Sequence[str]) -> PendingWork:
        """Poll the ledger for work; `targets` are the notification targets of this process."""
        began = self._clocks and self._clocks.moment()
        row = await self._database.row("schedules/poll_work", targets=list(targets))
        if self._clocks and began:
            self._clocks.observe(began, row.now)
        return PendingWork(row.now, tuple(row.runs), row.to_notify, row.report_due)

    async def register(self, kind: ScheduleKind, name: str, schedule: str, timezone: str) -> tuple[datetime, datetime]:
        """Register a schedule; returns the time up to which it is processed, and the present time.

        A new or changed schedule begins now, so none of its times can be missed.
        """
        row = await self._database.row(
            "schedules/register_schedule", kind=kind, name=name, schedule=schedule, timezone=timezone
        )
        return row.processed_until, row.now

    async def advance(
        self, kind: ScheduleKind, name: str, schedule: str, timezone: str, until: datetime | None
    ) -> None:
        """Mark the schedule's times up to `until` as processed; None: the schedule is no longer registered."""
        await self._database.count(
            "schedules/advance_schedule", kind=kind, name=name, schedule=schedule, timezone=timezone, until=until
        )

    async def record_missed(
        self, policy: str, mode: str, settings: Mapping[str, Any], times: Sequence[datetime], reason: str
    ) -> list[datetime]:
        """Record times that passed without a run; returns the times that this process recorded, oldest first."""
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
