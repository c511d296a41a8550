"""Discrepancies of a cancelled round: its refund against its stake, and a conflict with the operator's table."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from retention.core.evidence.closing import split_detail
from retention.core.model import State
from retention.core.text import money_text

if TYPE_CHECKING:
    from decimal import Decimal


class Payment(NamedTuple):
    """A stake, or a promised refund, in currency units. An unknown part is None."""

    amount: Decimal | None
    currency: str | None
    transaction_id: str | None

    def differs_from(self, other: Payment) -> bool:
        """Tell whether a part that both know differs."""
        return any(map(_differ, self, other))


class SettledRound(Protocol):
    """A row of a statement that has these columns of `retention.cancellations`."""

    @property
    def state(self) -> str: ...
    @property
    def amount(self) -> Decimal | None: ...
    @property
    def currency(self) -> str | None: ...
    @property
    def transaction_id(self) -> str | None: ...
    @property
    def stake(self) -> Decimal | None: ...
    @property
    def stake_currency(self) -> str | None: ...
    @property
    def bet_transaction_id(self) -> str | None: ...
    @property
    def incomplete(self) -> bool: ...
    @property
    def conflict(self) -> bool: ...
    @property
    def detail(self) -> str | None: ...


UNKNOWN = Payment(None, None, None)

_CLOSED_BEFORE = "the round was not open any more in the operator's view"


def discrepancies_of(row: SettledRound, *, refund_judged: bool = False) -> tuple[str, ...]:
    """Name a row's discrepancies, one sentence each. `refund_judged`: a person has judged all but the conflict."""
    return discrepancies(
        UNKNOWN if refund_judged else Payment(row.amount, row.currency, row.transaction_id),
        Payment(row.stake, row.stake_currency, row.bet_transaction_id),
        incomplete=row.incomplete and row.state == State.CANCELLED,
        conflict=row.conflict,
        detail=row.detail,
    )


def discrepancies(
    refund: Payment, stake: Payment, *, incomplete: bool = False, conflict: bool = False, detail: str | None = None
) -> tuple[str, ...]:
    """Name the discrepancies, one sentence each. `incomplete`: the reply had to tell the whole refund."""
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
        _, refusal = split_detail(detail)
        # Without a refusal the function left the round out, because it was closed before.
        found.append(f"conflict: {refusal or _CLOSED_BEFORE}")
    if incomplete and (missing := [name for name, part in refund._asdict().items() if part is None]):
        found.append(f"incomplete reply: {', '.join(missing)} missing")
    return tuple(found)


def _differ(promised: Decimal | str | None, known: Decimal | str | None) -> bool:
    return promised is not None and known is not None and promised != known
