"""Creates the notifications that are due, and delivers them to their targets.

Notifications are an outbox that is filled by polling: a run's row says whether people were notified of it, so the
statements that change runs know nothing of notifications. A delivery is leased before it is sent, so it arrives at
least once, each time with the same id and bytes.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast

from retention.core.notifications.events import retry_pause
from retention.core.notifications.message import chat_message

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Mapping

    from structlog.typing import FilteringBoundLogger

    from retention.ledger.notifications import Delivery, Notification, NotificationOutbox
    from retention.notify.apprise_channel import AppriseChannel
    from retention.notify.webhook import Webhook
    from retention.settings.model import Target

T = TypeVar("T")

DELIVERIES_PER_CLAIM = 4
"""Deliveries to one target that are claimed together. All are sent at once, so that no lease expires in a queue."""


@dataclass(frozen=True, slots=True)
class NotifierCounts:
    """The results of one pass: created notifications; deliveries that succeeded, failed, and were given up."""

    created: int = 0
    delivered: int = 0
    failed: int = 0
    given_up: int = 0


class Notifier:
    """Each process may have one: they share the outbox. `targets` gives the configured targets at each pass."""

    def __init__(
        self,
        outbox: NotificationOutbox,
        targets: Callable[[], Mapping[str, Target]],
        webhook: Webhook,
        apprise: AppriseChannel,
        log: FilteringBoundLogger,
    ) -> None:
        self._outbox = outbox
        self._targets = targets
        self._webhook = webhook
        self._apprise = apprise
        self._log = log

    async def run_once(self) -> NotifierCounts:
        """Create the notifications that are due, and try the deliveries that are due; a cancellation loses nothing.

        Raises the database's errors, after every target was tried as far as possible.
        """
        targets = dict(self._targets())
        notifications = await self._outbox.collect({name: target.events for name, target in targets.items()})
        for notification in notifications:
            self._log.info(
                "notification.created",
                notice=notification.event,
                notification_id=str(notification.notification_id),
                **_subject(notification),
                targets=list(notification.targets),
            )
        abandoned = await self._outbox.abandon_deliveries(targets)
        for delivery in abandoned:
            self._log.error("notification.given_up", problem=delivery.last_error, **_log_fields(delivery))
        # Targets are served concurrently, so that one that hangs does not delay the others.
        served = await _gather(map(self._deliver_due, targets.values()))
        tried = [delivered for of_target in served for delivered in of_target]
        return NotifierCounts(len(notifications), tried.count(True), tried.count(False), len(abandoned))

    async def _deliver_due(self, target: Target) -> list[bool]:
        """Try the target's due deliveries; stop early when a whole batch fails, because the next would fail too."""
        tried: list[bool] = []
        while deliveries := await self._outbox.claim_deliveries(target.name, DELIVERIES_PER_CLAIM):
            batch = await _gather(self._deliver(target, delivery) for delivery in deliveries)
            tried += batch
            if not any(batch):
                break
        return tried

    async def _deliver(self, target: Target, delivery: Delivery) -> bool:
        problem = await self._send(target, delivery)
        if problem is None:
            await self._outbox.mark_delivered(delivery)
            self._log.info("notification.delivered", **_log_fields(delivery))
            return True
        spread = random.random()  # noqa: S311 - spreads retries, protects nothing
        await self._outbox.mark_failed(delivery, problem, retry_pause(delivery.tries, spread))
        self._log.warning("notification.failed", problem=problem, **_log_fields(delivery))
        return False

    async def _send(self, target: Target, delivery: Delivery) -> str | None:
        """Send it once; returns None, or the problem. Secrets are read now, because their files may change."""
        if target.webhook and target.signing_key:
            url, key = target.webhook.reveal(), target.signing_key.reveal()
            return await self._webhook.post(url, key, str(delivery.notification_id), delivery.body)
        assert target.apprise is not None
        return await self._apprise.send(target.apprise.reveal(), *chat_message(delivery.event, delivery.body))


async def _gather(coroutines: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Run all coroutines to their ends, then raise the error of the first that failed."""
    results = await asyncio.gather(*coroutines, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return cast("list[T]", results)


def _log_fields(delivery: Delivery) -> dict[str, Any]:
    return {
        "notice": delivery.event,
        "notification_id": str(delivery.notification_id),
        **_subject(delivery),
        "target": delivery.target,
        "tries": delivery.tries,
    }


def _subject(of: Delivery | Notification) -> dict[str, str]:
    """The run or the report that a notification is about."""
    if of.report_id is not None:
        return {"report_id": str(of.report_id), "report": of.subject}
    return {"run_id": str(of.run_id), "policy": of.subject}
