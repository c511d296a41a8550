"""Builds the gateway of a partner from its configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retention.core.model import Credentials
from retention.core.sending.partner_state import PartnerState
from retention.core.sending.reply_rules import ReplyRules
from retention.engine.run_partner import RunPartner
from retention.ledger.terms import SETTLE_MARGIN_S, GroupTerms, PartnerTerms
from retention.settings.partner import Call
from retention.settings.partner import Partner as PartnerSettings
from retention.vendor_api.credentials import Access
from retention.vendor_api.gateway import VendorGateway

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AsyncExitStack
    from datetime import timedelta

    from retention.redaction import Redactor
    from retention.settings.model import Settings
    from retention.settings.policy import Policy


def terms_of(settings: Settings, name: str) -> PartnerTerms:
    """Return the terms on which a partner is called. Raises UsageError where it is not configured."""
    partner = settings.partner(name)
    return PartnerTerms(
        partner.name,
        float(partner.rate),
        partner.timeout.total_seconds(),
        partner.max_attempts,
        partner.status_probe,
        partner.asks_first,
        float(partner.questions_per_second),
        partner.max_pause.total_seconds(),
        _group_of(settings, partner),
    )


def _group_of(settings: Settings, partner: PartnerSettings) -> GroupTerms | None:
    if partner.rate_group is None:
        return None
    group = settings.rate_groups[partner.rate_group]
    return GroupTerms(group.name, float(group.rate), len(settings.partners_in(group.name)))


def longest_lease(settings: Settings) -> float:
    """Return the seconds after which a request of any partner has ended.

    A partner that is not configured any more counts with the default timeout.
    """
    default: timedelta = PartnerSettings.model_fields["timeout"].default
    return max(
        [default.total_seconds() + SETTLE_MARGIN_S, *(terms_of(settings, name).lease for name in settings.partners)]
    )


async def open_partner(
    stack: AsyncExitStack, every: Settings, name: str, policy: Policy, redactor: Redactor
) -> RunPartner:
    """Open the gateway to a partner for a run of the policy; the stack closes it."""
    settings = every.partner(name)
    state = PartnerState(settings.max_attempts, status_probe=settings.status_probe, ask_first=settings.asks_first)
    rules = ReplyRules(
        settings.treatments,
        settings.max_attempts,
        settings.status_probe,
        ask_first=settings.asks_first,
        cancel_winnings=policy.winnings == "cancel",
        refund_in_reply=settings.refund_in_reply,
    )
    return await _open(stack, settings, terms_of(every, name), rules, state, redactor)


async def open_questions(stack: AsyncExitStack, every: Settings, name: str, redactor: Redactor) -> RunPartner:
    """Open the gateway to a partner for questions alone: about rounds of any run. The stack closes it."""
    settings = every.partner(name)
    state = PartnerState(settings.max_attempts, status_probe=True, ask_first=True)
    rules = ReplyRules(
        settings.treatments, settings.max_attempts, status_probe=True, ask_first=True, cancel_winnings=True
    )
    partner = await _open(stack, settings, terms_of(every, name), rules, state, redactor)
    stack.push_async_callback(partner.gateway.close)
    return partner


async def _open(
    stack: AsyncExitStack,
    settings: PartnerSettings,
    terms: PartnerTerms,
    rules: ReplyRules,
    state: PartnerState,
    redactor: Redactor,
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
    return RunPartner(terms, state, gateway)


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
