"""Where the vendor's reply, the stake and the operator's table do not say the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from retention.core.evidence.closing import refusal_in
from retention.core.text import money_text

if TYPE_CHECKING:
    from decimal import Decimal


class Payment(NamedTuple):
    """What was staked, or promised back: each part as far as it is known."""

    amount: Decimal | None
    currency: str | None
    transaction_id: str | None

    def differs_from(self, other: Payment) -> bool:
        """Whether some part of it is known to be another. What is not known differs from nothing."""
        return (
            _differ(self.amount, other.amount)
            or _differ(self.currency, other.currency)
            or _differ(self.transaction_id, other.transaction_id)
        )


def discrepancies(
    refund: Payment, stake: Payment, *, incomplete: bool = False, conflict: bool = False, detail: str | None = None
) -> tuple[str, ...]:
    """Say what does not fit, one sentence each; `incomplete`: the reply had to tell the whole refund, and did not."""
    found = []
    if _differ(refund.amount, stake.amount):
        found.append(
            f"amount {money_text(refund.amount, refund.currency)}, stake {money_text(stake.amount, stake.currency)}"
        )
    if _differ(refund.currency, stake.currency):
        found.append(f"currency {refund.currency}, stake in {stake.currency}")
    if _differ(refund.transaction_id, stake.transaction_id):
        found.append(f"transaction {refund.transaction_id}, bet transaction {stake.transaction_id}")
    if conflict:
        found.append(f"conflict: {_conflict(detail)}")
    if incomplete and (missing := _missing(refund)):
        found.append(f"incomplete reply: {', '.join(missing)} missing")
    return tuple(found)


def _differ(promised: Decimal | str | None, known: Decimal | str | None) -> bool:
    return promised is not None and known is not None and promised != known


def _conflict(detail: str | None) -> str:
    """Tell what the operator's function did not do; a round that it left out was not open any more."""
    if (refusal := refusal_in(detail)) is not None:
        return refusal
    return "the round was not open any more in the operator's view"


def _missing(refund: Payment) -> list[str]:
    parts = {"amount": refund.amount, "currency": refund.currency, "transaction_id": refund.transaction_id}
    return [name for name, value in parts.items() if value is None]
