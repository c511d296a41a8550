"""The check of notifications: whether each target can be reached. A connection is made, and nothing is sent."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from retention.ledger.checks.finding import Finding
from retention.network_errors import connect_mend
from retention.notify.apprise_channel import why_unusable
from retention.notify.webhook import TIMEOUT_S
from retention.process.long_waits import log_long_wait
from retention.vendor_api.client import VendorClient

if TYPE_CHECKING:
    from collections.abc import Iterable

    from structlog.typing import FilteringBoundLogger

    from retention.redaction import Redactor
    from retention.settings.model import Target


async def notify_findings(
    targets: Iterable[Target], redactor: Redactor, log: FilteringBoundLogger | None
) -> list[Finding]:
    """Check each target. `log` reports a long wait."""
    return list(await asyncio.gather(*(_finding(target, redactor, log) for target in targets)))


async def _finding(target: Target, redactor: Redactor, log: FilteringBoundLogger | None) -> Finding:
    """A webhook that cannot be reached now is a warning: the notifications wait for it, for days."""
    name, key = f"notify {target.name}", f"notify.{target.name}"
    if target.webhook is None:
        assert target.apprise is not None
        problem = why_unusable(target.apprise.reveal())
        if problem is None:
            return Finding(name, ok=True, message="apprise knows the service; nothing was sent")
        mend = problem if ":" in problem else f"{problem}; correct {key}.apprise, as apprise spells it"
        return Finding(name, ok=False, message=redactor.text(mend))
    detail = f"waits for a connection to the webhook, for {TIMEOUT_S:.0f} s at the most"
    async with VendorClient(timeout=TIMEOUT_S) as client:
        with log_long_wait(log, "notification.waiting", target=target.name, detail=detail):
            failed = await client.connect(target.webhook.reveal())
    if failed is None:
        return Finding(name, ok=True, message="the webhook takes connections; nothing was sent")
    message = redactor.text(connect_mend(failed.why, f"{key}.webhook"))
    return Finding(name, ok=True, message=message, warning=True)
