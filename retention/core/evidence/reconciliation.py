"""Contradictions between the ledger, the vendor, the operator's view and the wallet, for one cancellation.

Each side is a value, and None stands for a side that was not asked or does not exist: nothing is concluded from it.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, NamedTuple

from retention.core.model import CANCELLED_STATES, LIVE_STATES, Outcome
from retention.core.text import decimal_text, money_text, time_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta
    from decimal import Decimal

REFUNDS_TOLD = 10
"""Refunds of one round that are looked at and told; the wallet has more of them only by a mistake."""

_CURRENCY_CHARS = 16


class FindingKind(enum.StrEnum):
    """The kinds of contradictions."""

    OPEN_AT_VENDOR = "open_at_vendor"
    CANCELLED_AT_VENDOR = "cancelled_at_vendor"
    COMPLETED_AT_VENDOR = "completed_at_vendor"
    OPEN_AT_OPERATOR = "open_at_operator"
    REFUND_MISSING = "refund_missing"
    REFUND_DIFFERS = "refund_differs"
    REFUND_TWICE = "refund_twice"


class RefundVerdict(enum.StrEnum):
    """A promised refund beside what the wallet has given back.

    `awaited`: the partner's `refund_within` has not passed. `not_promised`: the promise, or else the stake, is 0, and
    the wallet has nothing. `unknown`: there is no view of the wallet.
    """

    SEEN = "seen"
    AWAITED = "awaited"
    MISSING = "missing"
    DIFFERS = "differs"
    TWICE = "twice"
    NOT_PROMISED = "not_promised"
    UNKNOWN = "unknown"


class Operator(enum.Enum):
    """The operator's view of the round's id, in words for people."""

    CLOSED = "not open"
    SAME = "open"
    ANOTHER = "another round under this id is open"


class LedgerSide(NamedTuple):
    """The ledger's row: its outcome (a resolved row has the one that it was resolved as), and since when.

    `amount` and `currency` are the refund that the vendor promised, the others the stake; each None where unknown.
    """

    outcome: str
    since: datetime | None
    amount: Decimal | None = None
    currency: str | None = None
    stake: Decimal | None = None
    stake_currency: str | None = None
    resolved: bool = False

    @property
    def is_cancelled(self) -> bool:
        """Whether the ledger says that the vendor has cancelled the round."""
        return self.outcome in CANCELLED_STATES

    @property
    def expected_amount(self) -> Decimal | None:
        """The amount that the wallet has to see: the promised one, else the stake."""
        return self.stake if self.amount is None else self.amount

    @property
    def expected_currency(self) -> str | None:
        """The currency that the wallet has to see: the promised one, else the stake's."""
        return self.stake_currency if self.currency is None else self.currency


class VendorSide(NamedTuple):
    """The vendor's answer. `status` is cancelled, already_completed or in_progress, None where it told none of them.

    `text` is the vendor's own word for it, or why it told no word.
    """

    status: Outcome | None
    text: str


class Refund(NamedTuple):
    """One row of the wallet's view. A part that is NULL, or a time that no calendar has, is None."""

    amount: Decimal | None
    currency: str | None
    refunded_at: datetime | None = None


class Sides(NamedTuple):
    """The four sides, each as a short text."""

    ledger: str
    vendor: str
    operator: str
    wallet: str


class Comparison(NamedTuple):
    """The four sides of one cancellation. `refunds` is None where the operator has no view of the wallet."""

    ledger: LedgerSide
    vendor: VendorSide
    operator: Operator
    refunds: Sequence[Refund] | None


def fits_vendor(outcome: str, status: Outcome) -> bool:
    """Whether the vendor's status fits the ledger's outcome."""
    return not _judge_vendor(outcome, status)


def judge(sides: Comparison, now: datetime, refund_within: timedelta) -> tuple[FindingKind, ...]:
    """Name the contradictions. A refund is missed `refund_within` after the cancel; live rows are not judged."""
    ledger = sides.ledger
    found = [] if sides.vendor.status is None else _judge_vendor(ledger.outcome, sides.vendor.status)
    if not ledger.is_cancelled:
        return tuple(found)
    if sides.operator is Operator.SAME:
        found.append(FindingKind.OPEN_AT_OPERATOR)
    if sides.refunds is not None:
        found += _judge_refunds(ledger, sides.refunds, now, refund_within)
    return tuple(found)


def judge_refund(
    ledger: LedgerSide, refunds: Sequence[Refund] | None, now: datetime, refund_within: timedelta
) -> RefundVerdict:
    """Say in one word how the wallet fits a cancelled round, by the rules of `judge`.

    Several refunds are `twice`, whether or not their amounts differ too.
    """
    if refunds is None:
        return RefundVerdict.UNKNOWN
    found = _judge_refunds(ledger, refunds, now, refund_within)
    if found:
        return _VERDICTS[found[-1]]
    if refunds:
        return RefundVerdict.SEEN
    return RefundVerdict.NOT_PROMISED if ledger.expected_amount == 0 else RefundVerdict.AWAITED


_VERDICTS = {
    FindingKind.REFUND_MISSING: RefundVerdict.MISSING,
    FindingKind.REFUND_DIFFERS: RefundVerdict.DIFFERS,
    FindingKind.REFUND_TWICE: RefundVerdict.TWICE,
}


def describe(sides: Comparison) -> Sides:
    """Describe the four sides for people and for the finding's row."""
    return Sides(_ledger_text(sides.ledger), sides.vendor.text, sides.operator.value, _wallet_text(sides.refunds))


def _judge_vendor(outcome: str, status: Outcome) -> list[FindingKind]:
    if outcome in LIVE_STATES:
        return []
    if outcome not in CANCELLED_STATES:
        return [FindingKind.CANCELLED_AT_VENDOR] if status is Outcome.CANCELLED else []
    if status is Outcome.IN_PROGRESS:
        return [FindingKind.OPEN_AT_VENDOR]
    return [FindingKind.COMPLETED_AT_VENDOR] if status is Outcome.ALREADY_COMPLETED else []


def _judge_refunds(
    ledger: LedgerSide, refunds: Sequence[Refund], now: datetime, refund_within: timedelta
) -> list[FindingKind]:
    if not refunds:
        # A round that was played for nothing has nothing to give back.
        due = ledger.expected_amount != 0 and ledger.since is not None and now - ledger.since >= refund_within
        return [FindingKind.REFUND_MISSING] if due else []
    found = [FindingKind.REFUND_DIFFERS] if any(_differs(ledger, refund) for refund in refunds) else []
    return [*found, FindingKind.REFUND_TWICE] if len(refunds) > 1 else found


def _differs(ledger: LedgerSide, refund: Refund) -> bool:
    amount, currency = ledger.expected_amount, ledger.expected_currency
    if refund.amount is None or not refund.amount.is_finite() or refund.amount < 0:
        return True
    if amount is not None and refund.amount != amount:
        return True
    return currency is not None and (refund.currency or "").strip().upper() != currency.upper()


def _ledger_text(ledger: LedgerSide) -> str:
    parts = [f"resolved as {ledger.outcome}" if ledger.resolved else ledger.outcome]
    if ledger.is_cancelled:
        promised = money_text(ledger.amount, ledger.currency)
        stake = money_text(ledger.stake, ledger.stake_currency)
        parts += [f"refund {promised}"] if promised else [f"stake {stake}"] if stake else []
    return ", ".join(parts)


def _wallet_text(refunds: Sequence[Refund] | None) -> str:
    if refunds is None:
        return "no view"
    told = [_refund_text(refund) for refund in refunds[:REFUNDS_TOLD]]
    return ("; ".join(told) + ("; and more" if len(refunds) > REFUNDS_TOLD else "")) or "no refund"


def _refund_text(refund: Refund) -> str:
    amount = "no amount" if refund.amount is None else decimal_text(refund.amount)
    parts = [amount, (refund.currency or "no currency").strip()[:_CURRENCY_CHARS]]
    return " ".join([*parts, f"at {time_text(refund.refunded_at)}"] if refund.refunded_at else parts)
