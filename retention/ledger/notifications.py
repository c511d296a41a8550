"""Notifications: made once, kept, and each delivery of them tried until somebody has it."""

from __future__ import annotations

import uuid
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from retention.core.notifications.events import PATIENCE, RunToNotify, event_of, event_to_send, retry_pause
from retention.core.notifications.message import missed_message, run_message, serialize
from retention.ledger import details
from retention.ledger.runs import RunLedger

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from datetime import datetime
    from typing import Any
    from uuid import UUID

    from retention.core.notifications.events import Event
    from retention.ledger.database import Database

LEASE = 60.0
"""Seconds for which a delivery is the process's that claimed it: longer than any try takes."""

_LEASES = [max(LEASE, retry_pause(tries, 1.0)) for tries in range(1, 13)]

_BATCH = 1000
"""Runs. They are narrow rows; what costs is looked at one by one."""


@dataclass(frozen=True, slots=True)
class Notification:
    """A notification that was made, and whom it goes to."""

    notification_id: UUID
    event: Event
    run_id: UUID
    policy: str
    targets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Delivery:
    """One notification and one target that is to have it. `tries` counts the one that has begun, if one has."""

    notification_id: UUID
    target: str
    tries: int
    event: Event
    run_id: UUID
    policy: str
    body: str
    problem: str | None


class NotificationOutbox:
    """The ledger's notifications and deliveries. `redact` takes secrets out of words before they are kept."""

    def __init__(self, database: Database, redact: Callable[[str], str]) -> None:
        self._database = database.prompt()
        self._runs = RunLedger(database)
        self._redact = redact

    async def collect(self, wants: Mapping[str, Collection[Event]]) -> list[Notification]:
        """Make the notifications of what has come up; `wants` says which events each target is to have.

        What no target wants is marked as told all the same: a target that is added later is told of what comes then.
        """
        rows = await self._database.rows("notifications/list_runs_to_notify", limit=_BATCH)
        made: list[Notification | None] = []
        silent: list[RunToNotify] = []
        missed: dict[str, list[RunToNotify]] = defaultdict(list)
        for row in rows:
            run = RunToNotify(*row[1:])
            event = event_of(run)
            targets = _wanting(wants, event)
            if event is None or not targets:
                silent.append(run)
            elif event == "schedule.missed":
                missed[run.policy].append(run)
            elif event_to_send(run, summary := await self._runs.summary(run.run_id)):
                made.append(
                    await self._tell(event, [run], targets, row.now, run_message(event, run, summary, self._redact))
                )
            else:
                silent.append(run)
        for policy, runs in missed.items():
            letter = missed_message(policy, sorted(run.scheduled_for for run in runs if run.scheduled_for))
            targets = _wanting(wants, "schedule.missed")
            made.append(await self._tell("schedule.missed", runs, targets, rows[0].now, letter))
        if silent:
            await self._database.count(
                "notifications/mark_notified",
                run_ids=[run.run_id for run in silent],
                statuses=[run.status for run in silent],
            )
        return [notice for notice in made if notice]

    async def claim(self, target: str, limit: int) -> list[Delivery]:
        """Take the next deliveries to a target; each is to be tried at once, before LEASE is over."""
        rows = await self._database.rows("notifications/claim_deliveries", target=target, limit=limit, leases=_LEASES)
        return [Delivery(*row) for row in rows]

    async def delivered(self, delivery: Delivery) -> None:
        """Record that the target has it."""
        await self._database.count(
            "notifications/mark_delivered", notification_id=delivery.notification_id, target=delivery.target
        )

    async def undelivered(self, delivery: Delivery, problem: str, pause: float) -> None:
        """Record why a try failed, and try again in `pause` seconds."""
        await self._database.count(
            "notifications/mark_failed",
            notification_id=delivery.notification_id,
            target=delivery.target,
            tries=delivery.tries,
            problem=problem,
            pause=pause,
        )

    async def abandon(self, targets: Collection[str]) -> list[Delivery]:
        """Give up what was tried for long enough, and what has waited as long for a target that nobody knows."""
        errors = {"no_target": details.NO_TARGET, "cut_short": details.CUT_SHORT}
        rows = await self._database.rows(
            "notifications/abandon_deliveries", targets=list(targets), patience=PATIENCE, **errors
        )
        return [Delivery(*row) for row in rows]

    async def _tell(
        self,
        event: Event,
        runs: Sequence[RunToNotify],
        targets: tuple[str, ...],
        now: datetime,
        letter: Mapping[str, Any],
    ) -> Notification | None:
        """Make one notification of these runs; None where another process was first, or something has changed."""
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
            body=serialize(event, notice.notification_id, now, letter),
        )
        return notice if made else None


def _wanting(wants: Mapping[str, Collection[Event]], event: Event | None) -> tuple[str, ...]:
    return tuple(name for name, events in wants.items() if event in events)
