"""The notifications of scheduled reports: one for each report, and one for all missed times of a report."""

from __future__ import annotations

import uuid
from collections import defaultdict
from typing import TYPE_CHECKING

from retention.core.notifications.message import serialize
from retention.core.notifications.report_message import (
    ReportToNotify,
    missed_reports_message,
    report_message,
    report_targets,
)
from retention.ledger.records import records

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from datetime import datetime
    from typing import Any
    from uuid import UUID

    from retention.core.evidence.checkpoint import Checkpoint
    from retention.core.notifications.events import Event
    from retention.ledger.database import Database

_REPORTS_PER_COLLECT = 1000


class ReportNotices:
    """Makes the notifications of reports. `database` answers control statements; `redact` removes secrets."""

    def __init__(self, database: Database, redact: Callable[[str], str]) -> None:
        self._database = database
        self._redact = redact

    async def collect(
        self, wants: Mapping[str, Collection[Event]], checkpoint: Checkpoint | None
    ) -> list[tuple[UUID, ReportToNotify, tuple[str, ...]]]:
        """Make the notifications of new events; returns the id, the newest report and the targets of each."""
        rows = await self._database.rows("scheduled_reports/list_reports_to_notify", limit=_REPORTS_PER_COLLECT)
        made = []
        missed: dict[str, list[ReportToNotify]] = defaultdict(list)
        for report in records(ReportToNotify, rows):
            if report.event == "schedule.missed":
                missed[report.name].append(report)
                continue
            made.append(
                await self._enqueue([report], wants, rows[0].now, report_message(report, self._redact), checkpoint)
            )
        made += [
            await self._enqueue(reports, wants, rows[0].now, missed_reports_message(reports), checkpoint)
            for reports in missed.values()
        ]
        return [notice for notice in made if notice is not None]

    async def _enqueue(
        self,
        reports: Sequence[ReportToNotify],
        wants: Mapping[str, Collection[Event]],
        now: datetime,
        letter: Mapping[str, Any],
        checkpoint: Checkpoint | None,
    ) -> tuple[UUID, ReportToNotify, tuple[str, ...]] | None:
        newest, notification_id = reports[-1], uuid.uuid4()
        targets = report_targets(newest, wants)
        count = await self._database.count(
            "scheduled_reports/enqueue_report_notification",
            notification_id=notification_id,
            event=newest.event,
            report_id=newest.report_id,
            report_ids=[report.report_id for report in reports],
            targets=list(targets),
            created_at=now,
            body=serialize(newest.event, notification_id, now, letter, checkpoint),
        )
        return (notification_id, newest, targets) if count else None
