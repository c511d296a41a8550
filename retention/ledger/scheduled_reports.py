"""The reports that `serve` makes: a row for each scheduled time, claimed by one process at a time."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg.types.json import Jsonb

from retention.ledger.records import record, records

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from retention.core.schedule.period import Period
    from retention.ledger.database import Database

LEASE_S = 30.0
"""Seconds for which a report is its maker's; each heartbeat extends them."""


@dataclass(frozen=True, slots=True)
class PlannedTime:
    """A scheduled time of a report: it is to be made, or `missed` says why it is not."""

    scheduled_for: datetime
    period: Period
    missed: str | None = None


@dataclass(frozen=True, slots=True)
class RecordedTime:
    """A scheduled time that this process has recorded. `problem`: why it was missed, or could not be made yet."""

    report_id: UUID
    scheduled_for: datetime
    period: str
    problem: str | None


@dataclass(frozen=True, slots=True)
class ClaimedReport:
    """A report that this process makes. `tries` includes the present one; `problem` is the previous one's."""

    report_id: UUID
    name: str
    scheduled_for: datetime
    period: str
    period_start: datetime
    period_end: datetime
    settings: Mapping[str, Any]
    tries: int
    problem: str | None


@dataclass(frozen=True, slots=True)
class FinishedReport:
    """The facts of a report that is written. `file`: its path; None where it has no file. `rows`: their number."""

    rows: int
    totals: Sequence[Mapping[str, Any]]
    checkpoint: Mapping[str, Any] | None
    file: str | None = None
    file_sha256: str | None = None


class ReportStore:
    """The scheduled reports of the ledger. All times are the database's."""

    def __init__(self, database: Database, replica: str) -> None:
        self._database = database
        self._control = database.control()
        self._replica = replica

    async def plan(self, name: str, settings: Mapping[str, Any], times: Sequence[PlannedTime]) -> list[RecordedTime]:
        """Record the times of a report that have come; returns the ones that this process recorded, oldest first."""
        rows = await self._control.rows(
            "scheduled_reports/plan_reports",
            name=name,
            settings=Jsonb(dict(settings)),
            replica=self._replica,
            times=[time.scheduled_for for time in times],
            statuses=["missed" if time.missed else "planned" for time in times],
            periods=[time.period.name for time in times],
            starts=[time.period.start for time in times],
            ends=[time.period.end for time in times],
            problems=[time.missed for time in times],
        )
        return sorted(records(RecordedTime, rows), key=lambda time: time.scheduled_for)

    async def claim(self) -> ClaimedReport | None:
        """Claim the next report that is due; None if there is none."""
        row = await self._control.row("scheduled_reports/claim_report", replica=self._replica, lease=LEASE_S)
        return None if row is None else record(ClaimedReport, row)

    async def extend(self, report: ClaimedReport) -> bool:
        """Extend the lease of a report; returns whether this process still has it."""
        return await self._change("extend_lease", report, lease=LEASE_S)

    async def postpone(self, report: ClaimedReport, problem: str | None, pause_s: float, *, counted: bool) -> bool:
        """Give a report back for a later try; returns whether this process still had it.

        `counted`: whether the try is one of those after which the report is given up.
        """
        return await self._change("postpone_report", report, problem=problem, pause=pause_s, counted=counted)

    async def fail(self, report: ClaimedReport, problem: str) -> bool:
        """Give a report up; returns whether this process still had it."""
        return await self._change("fail_report", report, problem=problem)

    @asynccontextmanager
    async def finish(self, report: ClaimedReport, finished: FinishedReport) -> AsyncIterator[bool]:
        """Record a report as made, in a transaction that commits after the block.

        Yields whether this process still has the report; an error of the block undoes the record.
        """
        async with self._database.transaction() as transaction:
            row = await transaction.row(
                "scheduled_reports/finish_report",
                **self._claim_of(report),
                file=finished.file,
                file_sha256=finished.file_sha256,
                rows=finished.rows,
                totals=Jsonb(list(finished.totals)),
                checkpoint=None if finished.checkpoint is None else Jsonb(dict(finished.checkpoint)),
            )
            yield row is not None

    async def _change(self, statement: str, report: ClaimedReport, **values: Any) -> bool:
        count = await self._control.count(f"scheduled_reports/{statement}", **self._claim_of(report), **values)
        return count > 0

    def _claim_of(self, report: ClaimedReport) -> dict[str, Any]:
        return {"report_id": report.report_id, "replica": self._replica, "tries": report.tries}
