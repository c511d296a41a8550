"""Discrepancies between refund, stake and the operator's table."""

from __future__ import annotations

from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from retention.core.evidence.discrepancies import Payment, discrepancies, discrepancies_of

STAKE = Payment(Decimal(100), "EUR", "T1")
NOTHING = Payment(None, None, None)


def found(refund: Payment, stake: Payment = STAKE, **more: Any) -> tuple[str, ...]:
    """The discrepancies of a refund."""
    return discrepancies(refund, stake, **more)


def test_a_refund_of_the_stake_is_no_discrepancy() -> None:
    """An amount that equals the stake is no discrepancy, however many zeros it was written with."""
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
def test_each_discrepancy_names_both_sides(refund: Payment, words: str) -> None:
    """A discrepancy of amount, currency or transaction names both sides, to the last digit."""
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
    """Two payments differ where a part that both know differs, in either order."""
    assert [differs, differs] == [STAKE.differs_from(other), other.differs_from(STAKE)]


def test_an_unknown_part_is_no_discrepancy() -> None:
    """An unknown stake or refund is no discrepancy."""
    assert () == found(STAKE, NOTHING)
    assert () == found(NOTHING)
    assert ("amount 90, stake 100",) == found(Payment(Decimal(90), None, None), Payment(Decimal(100), None, None))


def test_an_incomplete_reply_names_the_missing_parts() -> None:
    """The missing parts of a refund are named where the reply had to tell them, and nowhere else."""
    whole = "incomplete reply: amount, currency, transaction_id missing"
    assert (whole,) == found(NOTHING, incomplete=True)
    assert ("incomplete reply: transaction_id missing",) == found(Payment(Decimal(100), "EUR", None), incomplete=True)
    assert () == found(NOTHING)


def test_a_conflict_names_its_cause() -> None:
    """A conflict says whether the round was closed before, or why the operator's function refused it."""
    gone = "conflict: the round was not open any more in the operator's view"

    assert (gone,) == found(STAKE, conflict=True)
    assert (gone,) == found(STAKE, conflict=True, detail="the vendor says Cancelled")
    assert ("conflict: close_rounds: no such player",) == found(
        STAKE, conflict=True, detail="close_rounds: no such player"
    )


def row(**changes: Any) -> Any:
    """A row of a cancelled round whose refund is its stake."""
    values: dict[str, Any] = {
        **dict.fromkeys(("amount", "stake"), Decimal(100)),
        **dict.fromkeys(("currency", "stake_currency"), "EUR"),
        **dict.fromkeys(("transaction_id", "bet_transaction_id"), "T1"),
        "state": "cancelled",
        "incomplete": False,
        "conflict": False,
        "detail": None,
    }
    return SimpleNamespace(**{**values, **changes})


def test_a_row_has_the_discrepancies_of_its_columns() -> None:
    """A row's refund is compared with its stake, and a reply is incomplete only for a cancelled round."""
    assert () == discrepancies_of(row())
    assert ("amount 90 EUR, stake 100 EUR",) == discrepancies_of(row(amount=Decimal(90)))
    assert ("currency USD, stake in EUR",) == discrepancies_of(row(currency="USD"))
    assert ("transaction T9, bet transaction T1",) == discrepancies_of(row(transaction_id="T9"))
    assert ("incomplete reply: amount missing",) == discrepancies_of(row(amount=None, incomplete=True))
    assert () == discrepancies_of(row(amount=None, incomplete=True, state="resolved"))


def test_a_judged_refund_leaves_the_conflict_alone() -> None:
    """After a person has judged the refund, only a round that may still be open needs review."""
    conflict = ("conflict: close_rounds: no such player",)
    judged = row(amount=Decimal(90), conflict=True, detail="close_rounds: no such player", state="resolved")
    assert conflict == discrepancies_of(judged, refund_judged=True)
    assert ("amount 90 EUR, stake 100 EUR", *conflict) == discrepancies_of(judged)
