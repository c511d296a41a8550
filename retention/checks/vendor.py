"""The check of a vendor: whether it answers HealthCheck and accepts our credentials, and what mends it where not."""

from __future__ import annotations

import time
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from retention.core.clock_check import offset_text
from retention.core.model import Credentials, NotConnected, Reply, Treatment, Unclear
from retention.core.sending import wire
from retention.ledger.checks.finding import Finding
from retention.network_errors import connect_mend
from retention.process.long_waits import log_long_wait
from retention.settings.durations import format_duration
from retention.settings.partner import Call
from retention.vendor_api.client import VendorClient

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

    from retention.redaction import Redactor
    from retention.settings.partner import Partner
    from retention.vendor_api.client import Exchange

CODE_LIMIT, DESCRIPTION_LIMIT = 64, 256
"""Characters of a reply's code, and of its description, from which on they may have been cut."""

CLOCK_LIMIT_S = 60.0
"""Seconds by which a vendor's clock may differ from this machine's; a Date has whole seconds, and was under way."""

_ALLOW_LIST = (
    "its allow-list may lack this machine: send the vendor this machine's outgoing address, which we cannot see;"
    " `curl https://checkip.amazonaws.com` here prints it, or your network team knows it"
)
_NO_PAGE = "there is no HealthCheck at that address: correct {key}; the vendor's own calls are <api_url>/v4/HealthCheck"
_MOVED = "a redirect is never followed: write the address that it leads to into {key}"
_BUSY = "the vendor is busy: run `retention check` again later"
_REFUSED_REQUEST = "correct {key}, or ask the vendor why it refuses HealthCheck"
_ILL = "the vendor or a proxy before it fails: run `retention check` again later, then ask the vendor"
_NO_JSON = "a web page or a proxy answers there: correct {key}"


async def vendor_findings(partner: Partner, redactor: Redactor, log: FilteringBoundLogger | None) -> list[Finding]:
    """Check the vendor of one partner with one HealthCheck, and its clock. `log` reports a long wait."""
    seconds = partner.timeout.total_seconds()
    detail = f"waits for the vendor's answer (HealthCheck), for {seconds:.0f} s at the most"
    credentials = Credentials(partner.secure_login.reveal(), partner.token.reveal())
    async with VendorClient(timeout=seconds) as client:
        with log_long_wait(log, "vendor.waiting", partner=partner.name, detail=detail):
            exchange = await client.post(
                partner.address(Call.HEALTH), wire.encode_health(credentials, str(uuid.uuid4()))
            )
    now = datetime.now(UTC)
    return [_health(exchange, partner, redactor), *_clock(exchange, partner, now)]


def _health(exchange: Exchange, partner: Partner, redactor: Redactor) -> Finding:
    """Judge the answer, and mask secrets in it."""
    ok, message = False, "no reply"
    key = f"partners.{partner.name}.{Call.HEALTH.key if getattr(partner, Call.HEALTH.key) else 'api_url'}"
    correct = f"correct partners.{partner.name}.secure_login and .token, exactly as the vendor gave them"
    match exchange.answer:
        case Reply(http_status=401):
            message = f"refused our credentials: HTTP 401; {correct}"
        case Reply(http_status=403):
            message = f"refused this machine's address, or our credentials: HTTP 403; {_ALLOW_LIST}; or {correct}"
        case Reply(http_status=status, problem=str(problem)):
            message = f"is not well: {redactor.text(problem)}; {_status_mend(status).format(key=key)}"
        case Reply(code="0"):
            ok, message = True, "answers, and knows us"
        case Reply(code=str(code), description=description):
            refused = partner.treatments.get(code) is Treatment.UNAUTHORIZED
            error = _error(code, description, redactor)
            mend = correct if refused else "ask the vendor what it means"
            message = f"{'refused our credentials' if refused else 'is not well'}: {error}; {mend}"
        case NotConnected(why):
            message = redactor.text(connect_mend(why, key))
        case Unclear(why):
            longer = f"set partners.{partner.name}.timeout above {format_duration(partner.timeout)}, or ask the vendor"
            mend = longer if "in time" in why else f"correct {key}, or ask the vendor: a proxy in between may cut it"
            message = redactor.text(f"{why}; {mend}")
    return Finding(f"vendor of {partner.name}", ok=ok, message=message)


def _status_mend(status: int) -> str:
    """The mend for an HTTP status, or for a success that is no answer to HealthCheck."""
    if status in wire.SUCCESS:
        return _NO_JSON
    if status in {404, 405, 410}:
        return _NO_PAGE
    if status in {429, 503}:
        return _BUSY
    return {3: _MOVED, 4: _REFUSED_REQUEST}.get(status // 100, _ILL)


def _clock(exchange: Exchange, partner: Partner, now: datetime) -> list[Finding]:
    """Warn of a vendor whose clock is far from this machine's; `now` is a moment after the reply."""
    said = wire.http_date(exchange.date or "", now)
    if said is None or exchange.replied_at is None:
        return []
    came = now.timestamp() - (time.monotonic() - exchange.replied_at)
    difference = said.timestamp() - came
    if abs(difference) <= CLOCK_LIMIT_S:
        return []
    message = (
        f"the vendor's clock is {offset_text(difference)} this machine's; `timedatectl` tells whether this one is set"
        " by NTP; if it is right, tell the vendor"
    )
    return [Finding(f"clock of the vendor of {partner.name}", ok=True, message=message, warning=True)]


def _error(code: str, description: str | None, redactor: Redactor) -> str:
    """Describe the vendor's error. A text that may have been cut is left out: its end could be half a secret."""
    shown = f"error {redactor.own_text(code)}" if len(code) < CODE_LIMIT else "an error with a very long code"
    if not description:
        return shown
    too_long = "with a description too long to be shown safely"
    return f"{shown}, {redactor.text(description) if len(description) < DESCRIPTION_LIMIT else too_long}"
