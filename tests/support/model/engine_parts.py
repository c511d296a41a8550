"""The parts of production that a replica of the model consists of, put together as `retention run` does."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn, cast

import structlog

from retention.core.model import Credentials, NotConnected, Treatment
from retention.core.sending.partner_state import PartnerState
from retention.core.sending.reply_rules import DEFAULT_CODES, ReplyRules
from retention.engine.counters import ProcessCounters, RunCounters
from retention.engine.engine import Engine
from retention.engine.run_partner import RunPartner
from retention.ledger.terms import GroupTerms, PartnerTerms
from retention.vendor_api.client import Exchange, VendorClient
from retention.vendor_api.credentials import Access
from retention.vendor_api.gateway import VendorGateway
from support.model.database import GROUP, PARTNER

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from retention.ledger.engine_ledger import EngineLedger

CODES = {**DEFAULT_CODES, "60": Treatment.ALREADY_COMPLETED}
ACCESS = Access("cancel", "status", "health", Credentials("login", "token"))


def _drop(*_: object) -> NoReturn:
    raise structlog.DropEvent


class NoHealth:
    """A vendor that answers no HealthCheck, so that every refusal of our credentials is real."""

    async def post(self, *_: object) -> Exchange:
        """Answer nothing."""
        return Exchange(NotConnected("refused"), None, None)


def terms(
    *,
    status_probe: bool,
    ask_first: bool = False,
    timeout: float = 10.0,
    max_attempts: int = 3,
    in_group: bool = False,
) -> PartnerTerms:
    """One partner's terms, quick enough that slots hardly matter; `timeout` in seconds.

    With `in_group`, cancels and probes share the slots of a rate group.
    """
    group = GroupTerms(GROUP, 200.0) if in_group else None
    asks = ask_first and status_probe
    return PartnerTerms(PARTNER, 1000.0, timeout, max_attempts, status_probe, asks, group=group)


def partner_of(terms: PartnerTerms) -> RunPartner:
    """A partner without connections: the model carries requests and replies."""
    flags = {"status_probe": terms.status_probe, "ask_first": terms.ask_first}
    state = PartnerState(terms.max_attempts, **flags)
    gateway = VendorGateway(
        cast("VendorClient", NoHealth()),
        ReplyRules(CODES, terms.max_attempts, **flags),
        state,
        concurrency=9,
        send_game_id=True,
        access=lambda: ACCESS,
        redact=str,
        is_echo=lambda _: False,
        jitter=lambda: 0.5,
    )
    return RunPartner(terms, state, gateway)


def engine_of(ledger: EngineLedger, partner: RunPartner, run_id: UUID, now: Callable[[], float]) -> Engine:
    """An engine that no rail halts, by the clock of the model, in seconds."""
    return Engine(
        ledger,
        [partner],
        RunCounters("nightly", ProcessCounters()),
        structlog.wrap_logger(None, processors=[_drop], wrapper_class=structlog.BoundLogger),
        run_id=run_id,
        max_failure_ratio=1.0,
        max_conflicts=10**6,
        overrides=(),
        log_user_ids=False,
        now=now,
    )
