"""Where reply, stake and the operator's table do not say the same."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from retention.core.evidence.discrepancies import Payment, discrepancies

STAKE = Payment(Decimal(100), "EUR", "T1")
NOTHING = Payment(None, None, None)


def found(refund: Payment, stake: Payment = STAKE, **more: Any) -> tuple[str, ...]:
    """Compare."""
    return discrepancies(refund, stake, **more)


def test_a_refund_of_the_stake_is_none() -> None:
    """The same amount, however many zeros it was written with, and the same currency and transaction fit."""
    assert () == found(Payment(Decimal("100.000"), "EUR", "T1"))


@pytest.mark.parametrize(
    ("refund", "words"),
    [
        (Payment(Decimal("90.50"), "EUR", "T1"), "amount 90.5 EUR, stake 100 EUR"),
        (Payment(Decimal(100), "USD", "T1"), "currency USD, stake in EUR"),
        (Payment(Decimal(100), "EUR", "T9"), "transaction T9, bet transaction T1"),
        (Payment(Decimal("100.000000000000000001"), "EUR", "T1"), "amount 100.000000000000000001 EUR, stake 100 EUR"),
    ],
)
def test_each_difference_is_told(refund: Payment, words: str) -> None:
    """A difference in any of the three is told with both sides, to the last digit."""
    assert (words,) == found(refund)


@pytest.mark.parametrize(
    ("differs", "other"),
    [
        *[(True, Payment(Decimal(99), "EUR", "T1")), (True, Payment(Decimal(100), "USD", "T1"))],
        *[
            (True, Payment(Decimal(100), "EUR", "T9")),
            (True, Payment(None, None, "T9")),
            (True, Payment(None, "USD", None)),
        ],
        *[(False, Payment(Decimal("100.0"), "EUR", "T1")), (False, NOTHING), (False, Payment(None, "EUR", None))],
    ],
)
def test_one_part_that_differs_is_enough(differs: bool, other: Payment) -> None:
    """Two sums differ where any part of them is known to, whichever is asked about the other."""
    assert [differs, differs] == [STAKE.differs_from(other), other.differs_from(STAKE)]


def test_what_is_not_known_differs_from_nothing() -> None:
    """Neither a stake nor a refund that nobody knows is a discrepancy."""
    assert () == found(STAKE, NOTHING)
    assert () == found(NOTHING)
    assert ("amount 90, stake 100",) == found(Payment(Decimal(90), None, None), Payment(Decimal(100), None, None))


def test_a_cancelled_round_wants_a_whole_reply() -> None:
    """What the reply lacks is named where it had to be whole; elsewhere its absence is nothing."""
    whole = "incomplete reply: amount, currency, transaction_id missing"
    assert (whole,) == found(NOTHING, incomplete=True)
    assert ("incomplete reply: transaction_id missing",) == found(Payment(Decimal(100), "EUR", None), incomplete=True)
    assert () == found(NOTHING)


def test_a_conflict_is_told_with_its_cause() -> None:
    """A round that was not open any more is told apart from one that the operator's function refused."""
    gone = "conflict: the round was not open any more in the operator's view"

    assert (gone,) == found(STAKE, conflict=True)
    assert (gone,) == found(STAKE, conflict=True, detail="the vendor says Cancelled")
    assert ("conflict: close_rounds: no such player",) == found(
        STAKE, conflict=True, detail="close_rounds: no such player"
    )
