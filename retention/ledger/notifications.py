"""The outbox of notifications: each is made once, and each delivery is retried until its target accepts it.

Notifications are an outbox that is filled by polling. A run's row says whether it was notified, so the statements
that change runs know nothing of notifications. One statement marks the run and inserts the notification with its
deliveries, and only while the run still is as read. A killed process loses nothing, and two processes notify once.

A delivery is leased before it is sent, so it arrives at least once, each time with the same id and bytes.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from retention.core.notifications.events import GIVE_UP_AFTER_S, RunToNotify, event_of, event_to_send, retry_pause
from retention.core.notifications.message import missed_message, run_message, serialize
from retention.ledger import details
from retention.ledger.evidence import Evidence
from retention.ledger.records import record, records
from retention.ledger.report_notices import ReportNotices
from retention.ledger.runs import RunLedger

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from datetime import datetime
    from typing import Any
    from uuid import UUID

    from retention.core.notifications.events import Event
    from retention.ledger.database import Database

DELIVERY_LEASE_S = 60.0
"""Seconds of a claimed delivery's lease: longer than any try."""

_DELIVERY_LEASES_S = [max(DELIVERY_LEASE_S, retry_pause(tries, 1.0)) for tries in range(1, 13)]

_RUNS_PER_COLLECT = 1000
"""Runs read by one call of `collect`; their rows are narrow, and their summaries are read one by one."""


@dataclass(frozen=True, slots=True)
class Notification:
    """A notification in the outbox, and its targets. `subject`: the policy of its run, or the name of its report."""

    notification_id: UUID
    event: Event
    run_id: UUID | None
    subject: str
    targets: tuple[str, ...]
    report_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """The delivery of one notification to one target. `tries` includes the present try.

    `subject`: the policy of its run, or the name of its report.
    """

    notification_id: UUID
    target: str
    tries: int
    event: Event
    run_id: UUID | None
    report_id: UUID | None
    subject: str
    body: str
    last_error: str | None


class NotificationOutbox:
    """The ledger's notifications and deliveries. `redact` removes secrets from texts before they are stored.

    `max_runs` is as for `RunLedger`.
    """

    def __init__(
        self,
        database: Database,
        redact: Callable[[str], str],
        max_runs: Callable[[], Mapping[str, int]] = dict,
    ) -> None:
        self._database = database.control()
        self._evidence = Evidence(database)
        self._runs = RunLedger(database, max_runs=max_runs)
        self._redact = redact
        self._reports = ReportNotices(self._database, redact)

    async def collect(self, wants: Mapping[str, Collection[Event]]) -> list[Notification]:
        """Make the notifications of new events; `wants` lists the events of each target.

        An event that no target wants is marked as notified too: a target that is added later gets only later events.
        """
        rows = await self._database.rows("notifications/list_runs_to_notify", limit=_RUNS_PER_COLLECT)
        made: list[Notification | None] = []
        silent: list[RunToNotify] = []
        missed: dict[str, list[RunToNotify]] = defaultdict(list)
        for row in rows:
            run = record(RunToNotify, row)
            event = event_of(run)
            targets = _wanting(wants, event)
            if event is None or not targets:
                silent.append(run)
            elif event == "schedule.missed":
                missed[run.policy].append(run)
            elif event_to_send(run, summary := await self._runs.summarize_run(run.run_id)):
                made.append(
                    await self._enqueue(event, [run], targets, row.now, run_message(event, run, summary, self._redact))
                )
            else:
                silent.append(run)
        for policy, runs in missed.items():
            letter = missed_message(policy, sorted(run.scheduled_for for run in runs if run.scheduled_for))
            targets = _wanting(wants, "schedule.missed")
            made.append(await self._enqueue("schedule.missed", runs, targets, rows[0].now, letter))
        if silent:
            await self._database.count(
                "notifications/mark_notified",
                run_ids=[run.run_id for run in silent],
                statuses=[run.status for run in silent],
            )
        return [notice for notice in made if notice] + [
            Notification(notification_id, report.event, None, report.name, targets, report.report_id)
            for notification_id, report, targets in await self._reports.collect(
                wants, await self._evidence.newest_checkpoint()
            )
        ]

    async def claim_deliveries(self, target: str, limit: int) -> list[Delivery]:
        """Claim the next deliveries to a target; the caller tries each before its lease ends."""
        rows = await self._database.rows(
            "notifications/claim_deliveries", target=target, limit=limit, leases=_DELIVERY_LEASES_S
        )
        return records(Delivery, rows)

    async def mark_delivered(self, delivery: Delivery) -> None:
        """Record that the target accepted the delivery."""
        await self._database.count(
            "notifications/mark_delivered", notification_id=delivery.notification_id, target=delivery.target
        )

    async def mark_failed(self, delivery: Delivery, problem: str, pause: float) -> None:
        """Record why a try failed; the next try follows in `pause` seconds."""
        await self._database.count(
            "notifications/mark_failed",
            notification_id=delivery.notification_id,
            target=delivery.target,
            tries=delivery.tries,
            problem=problem,
            pause=pause,
        )

    async def abandon_deliveries(self, targets: Collection[str]) -> list[Delivery]:
        """Abandon deliveries that were tried, or have waited for an unknown target, for too long; returns them."""
        errors = {"no_target": details.NO_TARGET, "cut_short": details.CUT_SHORT}
        rows = await self._database.rows(
            "notifications/abandon_deliveries", targets=list(targets), patience=GIVE_UP_AFTER_S, **errors
        )
        return records(Delivery, rows)

    async def _enqueue(
        self,
        event: Event,
        runs: Sequence[RunToNotify],
        targets: tuple[str, ...],
        now: datetime,
        letter: Mapping[str, Any],
    ) -> Notification | None:
        """Enqueue one notification of these runs; None if another process was first, or a run has changed."""
        notice = Notification(uuid.uuid4(), event, runs[-1].run_id, runs[-1].policy, targets)
        made = await self._database.count(
            "notifications/enqueue_notification",
            notification_id=notice.notification_id,
            event=event,
            run_id=notice.run_id,
            run_ids=[run.run_id for run in runs],
            status=runs[-1].status,
            halt_reasons=[run.halt_reason for run in runs],
            targets=list(targets),
            created_at=now,
            body=serialize(event, notice.notification_id, now, letter, await self._evidence.newest_checkpoint()),
        )
        return notice if made else None


def _wanting(wants: Mapping[str, Collection[Event]], event: Event | None) -> tuple[str, ...]:
    return tuple(name for name, events in wants.items() if event in events)
