"""Makes the notifications that are due, and sends them to whoever is to have them."""

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

    from retention.ledger.notifications import Delivery, NotificationOutbox
    from retention.notify.apprise_channel import AppriseChannel
    from retention.notify.webhook import Webhook
    from retention.settings.model import Target

T = TypeVar("T")

DELIVERIES_PER_CLAIM = 4
"""Deliveries to one target. All that are claimed are sent at once, so none waits while its lease runs out."""


@dataclass(frozen=True, slots=True)
class NotifierCounts:
    """What one pass came to: notifications made; deliveries that succeeded, that failed, and that were given up."""

    created: int = 0
    delivered: int = 0
    failed: int = 0
    given_up: int = 0


class Notifier:
    """One for each process; any number of them work together. `targets` is asked anew in each pass."""

    def __init__(
        self,
        notices: NotificationOutbox,
        targets: Callable[[], Mapping[str, Target]],
        webhook: Webhook,
        chat: AppriseChannel,
        log: FilteringBoundLogger,
    ) -> None:
        self._outbox = notices
        self._targets = targets
        self._webhook = webhook
        self._apprise = chat
        self._log = log

    async def run_once(self) -> NotifierCounts:
        """Tell what has come up, and try what is due. Being cancelled in the middle loses nothing.

        Raises what the database raises; by then each target has been tried as far as possible.
        """
        targets = dict(self._targets())
        notices = await self._outbox.collect({name: target.events for name, target in targets.items()})
        for notice in notices:
            self._log.info(
                "notification.created",
                notice=notice.event,
                notification_id=str(notice.notification_id),
                run_id=str(notice.run_id),
                policy=notice.policy,
                targets=list(notice.targets),
            )
        abandoned = await self._outbox.abandon(targets)
        for delivery in abandoned:
            self._log.error("notification.given_up", problem=delivery.problem, **_log_fields(delivery))
        # Each target by itself: one that hangs holds up no other.
        tried = [tries for lane in await _gather(map(self._deliver_due, targets.values())) for tries in lane]
        return NotifierCounts(len(notices), tried.count(True), tried.count(False), len(abandoned))

    async def _deliver_due(self, target: Target) -> list[bool]:
        """Try the target's deliveries until none is due, or it takes none: then the others would not fare better."""
        tried: list[bool] = []
        while deliveries := await self._outbox.claim(target.name, DELIVERIES_PER_CLAIM):
            batch = await _gather(self._deliver(target, delivery) for delivery in deliveries)
            tried += batch
            if not any(batch):
                break
        return tried

    async def _deliver(self, target: Target, delivery: Delivery) -> bool:
        problem = await self._send(target, delivery)
        if problem is None:
            await self._outbox.delivered(delivery)
            self._log.info("notification.delivered", **_log_fields(delivery))
            return True
        spread = random.random()  # noqa: S311 - spreads retries, guards nothing
        await self._outbox.undelivered(delivery, problem, retry_pause(delivery.tries, spread))
        self._log.warning("notification.failed", problem=problem, **_log_fields(delivery))
        return False

    async def _send(self, target: Target, delivery: Delivery) -> str | None:
        """Send it once; returns None, or why it failed. Secrets are read now: they may stand in files that change."""
        if target.webhook and target.signing_key:
            url, key = target.webhook.reveal(), target.signing_key.reveal()
            return await self._webhook.post(url, key, str(delivery.notification_id), delivery.body)
        assert target.apprise is not None
        return await self._apprise.send(target.apprise.reveal(), *chat_message(delivery.event, delivery.body))


async def _gather(works: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Do all of them, each to its end; raise then what the first that failed has raised."""
    ended = await asyncio.gather(*works, return_exceptions=True)
    for one in ended:
        if isinstance(one, BaseException):
            raise one
    return cast("list[T]", ended)


def _log_fields(delivery: Delivery) -> dict[str, Any]:
    return {
        "notice": delivery.event,
        "notification_id": str(delivery.notification_id),
        "run_id": str(delivery.run_id),
        "policy": delivery.policy,
        "target": delivery.target,
        "tries": delivery.tries,
    }
