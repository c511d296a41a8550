"""Builds the gateway of a partner from its configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retention.core.model import Credentials
from retention.core.sending.partner_state import PartnerState
from retention.core.sending.reply_rules import ReplyRules
from retention.engine.run_partner import RunPartner
from retention.ledger.terms import SETTLE_MARGIN_S, PartnerTerms
from retention.settings.partner import Call
from retention.settings.partner import Partner as PartnerSettings
from retention.vendor_api.credentials import Access
from retention.vendor_api.gateway import VendorGateway

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextlib import AsyncExitStack
    from datetime import timedelta

    from retention.redaction import Redactor
    from retention.settings.policy import Policy


def terms_of(partner: PartnerSettings) -> PartnerTerms:
    """Return the terms on which a partner is called."""
    return PartnerTerms(
        partner.name,
        float(partner.rate),
        partner.timeout.total_seconds(),
        partner.max_attempts,
        partner.status_probe,
        partner.asks_first,
        float(partner.questions_per_second),
        partner.max_pause.total_seconds(),
    )


def longest_lease(partners: Iterable[PartnerSettings]) -> float:
    """Return the seconds after which a request of any partner has ended.

    A partner that is not configured any more counts with the default timeout.
    """
    default: timedelta = PartnerSettings.model_fields["timeout"].default
    return max([default.total_seconds() + SETTLE_MARGIN_S, *(terms_of(partner).lease for partner in partners)])


async def open_partner(
    stack: AsyncExitStack, settings: PartnerSettings, policy: Policy, redactor: Redactor
) -> RunPartner:
    """Open the gateway to a partner for a run of the policy; the stack closes it."""
    state = PartnerState(settings.max_attempts, status_probe=settings.status_probe, ask_first=settings.asks_first)
    rules = ReplyRules(
        settings.treatments,
        settings.max_attempts,
        settings.status_probe,
        ask_first=settings.asks_first,
        cancel_winnings=policy.winnings == "cancel",
        refund_in_reply=settings.refund_in_reply,
    )
    return await _open(stack, settings, rules, state, redactor)


async def open_questions(stack: AsyncExitStack, settings: PartnerSettings, redactor: Redactor) -> RunPartner:
    """Open the gateway to a partner for questions alone: about rounds of any run. The stack closes it."""
    state = PartnerState(settings.max_attempts, status_probe=True, ask_first=True)
    rules = ReplyRules(
        settings.treatments, settings.max_attempts, status_probe=True, ask_first=True, cancel_winnings=True
    )
    partner = await _open(stack, settings, rules, state, redactor)
    stack.push_async_callback(partner.gateway.close)
    return partner


async def _open(
    stack: AsyncExitStack, settings: PartnerSettings, rules: ReplyRules, state: PartnerState, redactor: Redactor
) -> RunPartner:
    from retention.vendor_api.client import VendorClient  # noqa: PLC0415 - slow to import, and most commands call no vendor

    client = VendorClient(timeout=settings.timeout.total_seconds(), max_pause=settings.max_pause.total_seconds())
    gateway = VendorGateway(
        await stack.enter_async_context(client),
        rules,
        state,
        concurrency=settings.concurrency,
        send_game_id=settings.send_game_id,
        access=_access_reader(settings),
        changed_at=lambda: max(secret.changed_at for secret in settings.secrets()),
        redact=redactor.text,
        is_echo=redactor.is_echo,
    )
    return RunPartner(terms_of(settings), state, gateway)


def _access_reader(settings: PartnerSettings) -> Callable[[], Access]:
    """Return a reader of the secrets, for each call: a secret in a file may change during a run."""
    secrets = settings.secrets()
    seen: list[str] = []
    access = _access(settings)

    def read() -> Access:
        nonlocal seen, access
        if (values := [secret.reveal() for secret in secrets]) != seen:
            access, seen = _access(settings), values
        return access

    return read


def _access(settings: PartnerSettings) -> Access:
    return Access(
        settings.address(Call.CANCEL),
        settings.address(Call.STATUS),
        settings.address(Call.HEALTH),
        Credentials(settings.secure_login.reveal(), settings.token.reveal()),
        settings.address(Call.ROUNDS),
    )
