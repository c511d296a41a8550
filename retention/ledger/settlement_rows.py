"""Settlements as sql/queries/settle.sql reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retention.core.discrepancies import Money

if TYPE_CHECKING:
    from retention.core.model import Settlement


def settlement_row(item: Settlement) -> dict[str, object]:
    """A settlement as the statement reads it. An amount becomes text, and never a float; what is not there is NULL."""
    claim = item.claim
    row: dict[str, object] = {
        "id": claim.cancellation_id,
        "uuid": claim.uuid,
        "kind": claim.kind,
        "state": item.state,
        "outcome": item.outcome,
        "sent_at": item.sent_at,
        "replied_at": item.replied_at,
        "http_status": item.http_status,
        "error_code": item.error_code,
        "description": item.description,
        "currency": item.currency,
        "amount": item.amount,
        "transaction_id": item.transaction_id,
        "doubtful": item.doubtful,
        "refused": item.refused,
    }
    # Left out where there is none, as nearly always: the database reads what it is given word by word.
    for name in ("detail", "due_in", "failed", "review"):
        if (value := getattr(item, name)) is not None:
            row[name] = value
    for name in ("uncounted", "incomplete"):
        if getattr(item, name):
            row[name] = True
    return row


def promised(item: Settlement) -> Money:
    """What the vendor promised."""
    return Money(item.amount, item.currency, item.transaction_id)
