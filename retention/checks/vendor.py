"""The check of a vendor: whether it answers HealthCheck and accepts our credentials."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from retention.core.model import Credentials, NotConnected, Reply, Treatment, Unclear
from retention.core.sending import wire
from retention.ledger.checks.finding import Finding
from retention.process.long_waits import log_long_wait
from retention.settings.partner import Call
from retention.vendor_api.client import VendorClient

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

    from retention.redaction import Redactor
    from retention.settings.partner import Partner

CODE_LIMIT, DESCRIPTION_LIMIT = 64, 256
"""Characters of a reply's code, and of its description, from which on they may have been cut."""


async def vendor_finding(partner: Partner, redactor: Redactor, log: FilteringBoundLogger | None) -> Finding:
    """Check the vendor of one partner. `log` reports a long wait."""
    seconds = partner.timeout.total_seconds()
    detail = f"waits for the vendor's answer (HealthCheck), for {seconds:.0f} s at the most"
    async with VendorClient(timeout=seconds) as client:
        with log_long_wait(log, "vendor.waiting", partner=partner.name, detail=detail):
            return await _health(client, partner, redactor)


async def _health(client: VendorClient, partner: Partner, redactor: Redactor) -> Finding:
    """Send HealthCheck, and mask secrets in the reply."""
    credentials = Credentials(partner.secure_login.reveal(), partner.token.reveal())
    exchange = await client.post(partner.address(Call.HEALTH), wire.encode_health(credentials, str(uuid.uuid4())))
    ok, message = False, "no reply"
    match exchange.answer:
        case Reply(http_status=401 | 403 as status):
            message = f"refused our credentials, or this machine's address: HTTP {status}"
        case Reply(problem=str(problem)):
            message = f"is not well: {redactor.text(problem)}"
        case Reply(code="0"):
            ok, message = True, "answers, and knows us"
        case Reply(code=str(code), description=description):
            refused = partner.treatments.get(code) is Treatment.UNAUTHORIZED
            error = _error(code, description, redactor)
            message = f"{'refused our credentials' if refused else 'is not well'}: {error}"
        case NotConnected(why) | Unclear(why):
            message = redactor.text(why)
    return Finding(f"vendor of {partner.name}", ok=ok, message=message)


def _error(code: str, description: str | None, redactor: Redactor) -> str:
    """Describe the vendor's error. A text that may have been cut is left out: its end could be half a secret."""
    shown = f"error {redactor.own_text(code)}" if len(code) < CODE_LIMIT else "an error with a very long code"
    if not description:
        return shown
    too_long = "with a description too long to be shown safely"
    return f"{shown}, {redactor.text(description) if len(description) < DESCRIPTION_LIMIT else too_long}"
