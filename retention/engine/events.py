"""The log event of one attempt, once its settlement is written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from retention.core.model import LIVE_STATES, Outcome, State

if TYPE_CHECKING:
    from retention.core.model import Settlement
    from retention.ledger.results import SettledRow

_EVENTS = {
    State.CANCELLED: ("round.cancelled", "info"),
    State.REJECTED: ("round.rejected", "warning"),
    # A doubt that a probe will settle is routine.
    State.IN_DOUBT: ("round.in_doubt", "info"),
    State.RETRYING: ("round.retrying", "info"),
    State.PLANNED: ("round.retrying", "info"),
}


def attempt_event(
    item: Settlement, latency: float | None, written: SettledRow | None, *, with_user: bool
) -> tuple[str, str, dict[str, Any]]:
    """Event, level and values of the log line; `latency` in seconds, `written` None for a late reply."""
    claim = item.claim
    values = {
        "run_id": claim.run_id,
        "partner": claim.partner,
        "market": claim.market,
        "round_id": claim.round_id,
        "uuid": claim.uuid,
        "outcome": item.state.value,
        "reply": item.outcome.value,
        "error_code": item.error_code,
        "latency_ms": None if latency is None else round(latency * 1000, 1),
        "user_id": claim.user_id if with_user else None,
        "amount": None if item.amount is None else f"{item.amount:f}",
        "currency": item.currency,
        "detail": item.detail,
        "conflict": written.conflict or None if written else None,
        "discrepancy": written.discrepant or None if written else None,
    }
    return *_event(item, written), {key: value for key, value in values.items() if value is not None}


def is_open_doubt(item: Settlement) -> bool:
    """Whether it is a doubt that this run leaves open."""
    return item.state is State.IN_DOUBT and item.due_in is None


def _event(item: Settlement, written: SettledRow | None) -> tuple[str, str]:
    if written is None:
        return "round.late_reply", "warning"
    if item.outcome is Outcome.IN_PROGRESS and item.claim.is_first_probe and item.state in LIVE_STATES:
        return "round.asked", "debug"  # its cancel is next, and has an event of its own
    if is_open_doubt(item):
        return "round.in_doubt", "warning"  # it needs a person
    if item.state is State.IN_DOUBT and item.refusal_pending_probe and not item.may_have_taken_effect:
        return "round.refused", "info"  # no doubt: one probe follows, and has an event of its own
    return _EVENTS.get(item.state, ("round.settled", "info"))
