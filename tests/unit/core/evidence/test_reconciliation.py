"""Contradictions between ledger, vendor, operator's view and wallet."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retention.core.evidence.reconciliation import (
    Comparison,
    FindingKind,
    LedgerSide,
    Operator,
    Refund,
    VendorSide,
    describe,
    judge,
)
from retention.core.model import LIVE_STATES, RESOLUTIONS, Outcome

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
AN_HOUR = timedelta(hours=1)
RIGHT = Refund(Decimal("12.50"), "EUR")
UNTOLD = {"amount": None, "currency": None}

STATUSES = {
    "in progress": Outcome.IN_PROGRESS,
    "cancelled": Outcome.CANCELLED,
    "completed": Outcome.ALREADY_COMPLETED,
    "not told": None,
}


def sides(
    outcome: str = "cancelled",
    vendor: str = "cancelled",
    operator: Operator = Operator.CLOSED,
    refunds: tuple[Refund, ...] | None = None,
    **ledger: Any,
) -> Comparison:
    """Make a comparison in which everything fits, apart from the changes of a test."""
    known = {"amount": Decimal("12.5"), "currency": "EUR", "stake": Decimal("12.5"), "stake_currency": "EUR"}
    side = LedgerSide(outcome, NOW - AN_HOUR, **{**known, **ledger})
    return Comparison(side, VendorSide(STATUSES[vendor], vendor), operator, refunds)


def kinds(comparison: Comparison, refund_within: timedelta = timedelta()) -> list[str]:
    """Judge a comparison, and write the findings as the command does."""
    return [str(kind) for kind in judge(comparison, NOW, refund_within)]


@pytest.mark.parametrize(
    ("outcome", "vendor", "expected"),
    [
        ("cancelled", "cancelled", []),
        ("already_cancelled", "cancelled", []),
        ("cancelled", "not told", []),
        ("cancelled", "in progress", ["open_at_vendor"]),
        ("already_cancelled", "in progress", ["open_at_vendor"]),
        ("cancelled", "completed", ["completed_at_vendor"]),
        ("already_cancelled", "completed", ["completed_at_vendor"]),
        ("already_completed", "completed", []),
        ("already_completed", "in progress", []),
        ("already_completed", "cancelled", ["cancelled_at_vendor"]),
        ("rejected", "cancelled", ["cancelled_at_vendor"]),
        ("rejected", "in progress", []),
        ("rejected", "completed", []),
        ("rejected", "not told", []),
        ("held", "cancelled", ["cancelled_at_vendor"]),
        ("not_sent", "cancelled", ["cancelled_at_vendor"]),
        ("no_longer_open", "cancelled", ["cancelled_at_vendor"]),
        ("in_doubt", "cancelled", []),
        ("planned", "cancelled", []),
        ("claimed", "cancelled", []),
        ("retrying", "cancelled", []),
    ],
)
def test_ledger_and_vendor(outcome: str, vendor: str, expected: list[str]) -> None:
    """Each outcome of the ledger fits some words of the vendor; a live row is not judged."""
    assert expected == kinds(sides(outcome, vendor))


@pytest.mark.parametrize(
    ("outcome", "operator", "expected"),
    [
        ("cancelled", Operator.CLOSED, []),
        ("cancelled", Operator.SAME, ["open_at_operator"]),
        ("already_cancelled", Operator.SAME, ["open_at_operator"]),
        ("cancelled", Operator.ANOTHER, []),
        ("rejected", Operator.SAME, []),
    ],
)
def test_ledger_and_operator(outcome: str, operator: Operator, expected: list[str]) -> None:
    """A cancelled round is not open in the operator's view; another round under its id may be."""
    assert expected == kinds(sides(outcome, "not told", operator))


@pytest.mark.parametrize(
    ("refunds", "ledger", "expected"),
    [
        (None, {}, []),
        ((RIGHT,), {}, []),
        ((Refund(Decimal("12.500"), "eur "),), {}, []),
        ((), {}, ["refund_missing"]),
        ((), {"outcome": "already_cancelled"}, ["refund_missing"]),
        ((), {"outcome": "rejected"}, []),
        ((), {"amount": Decimal(0)}, []),
        ((), {"amount": None, "stake": Decimal("0.00")}, []),
        ((), {"amount": None, "stake": None}, ["refund_missing"]),
        ((Refund(Decimal("12.51"), "EUR"),), {}, ["refund_differs"]),
        ((Refund(Decimal("12.5"), "SEK"),), {}, ["refund_differs"]),
        ((Refund(Decimal("12.5"), None),), {}, ["refund_differs"]),
        ((Refund(None, "EUR"),), {}, ["refund_differs"]),
        ((Refund(Decimal("NaN"), "EUR"),), {}, ["refund_differs"]),
        ((Refund(Decimal("Infinity"), "EUR"),), UNTOLD | {"stake": None}, ["refund_differs"]),
        ((Refund(Decimal(-1), "EUR"),), UNTOLD | {"stake": None}, ["refund_differs"]),
        ((RIGHT,), UNTOLD, []),
        ((Refund(Decimal(3), "EUR"),), UNTOLD, ["refund_differs"]),
        ((Refund(Decimal(3), "SEK"),), UNTOLD | {"stake": None, "stake_currency": None}, []),
        ((Refund(Decimal(3), "EUR"),), {"amount": Decimal(3)}, []),
        ((RIGHT, RIGHT), {}, ["refund_twice"]),
        ((RIGHT, Refund(Decimal(1), "EUR")), {}, ["refund_differs", "refund_twice"]),
        ((RIGHT, RIGHT), {"outcome": "rejected"}, []),
    ],
)
def test_ledger_and_wallet(refunds: tuple[Refund, ...] | None, ledger: dict[str, Any], expected: list[str]) -> None:
    """The wallet has one refund, of the promised amount; the stake stands in for a promise that is not told."""
    assert expected == kinds(sides(**{"vendor": "not told", "refunds": refunds, **ledger}))


def test_a_refund_is_missed_once_its_time_is_over() -> None:
    """A refund may come until `refund_within` after the cancel, and is missed from then on."""
    assert [] == kinds(sides(refunds=()), AN_HOUR + timedelta(microseconds=1))
    assert ["refund_missing"] == kinds(sides(refunds=()), AN_HOUR)


def test_all_that_does_not_fit_is_found_together() -> None:
    """One side's finding hides no other's."""
    found = kinds(sides("cancelled", "in progress", Operator.SAME, ()))
    assert ["open_at_vendor", "open_at_operator", "refund_missing"] == found


def test_each_side_is_told_in_a_few_words() -> None:
    """The four texts name the ledger's outcome and promise, the vendor's word, the view, and each refund exactly."""
    at = datetime(2026, 3, 1, 11, tzinfo=UTC)
    told = describe(sides("cancelled", "in progress", Operator.SAME, (Refund(Decimal("0.10"), "EUR", at),)))
    assert ("cancelled, refund 12.5 EUR", "in progress", "open", "0.1 EUR at 2026-03-01T11:00:00Z") == told
    told = describe(sides("already_cancelled", "cancelled", Operator.ANOTHER, (Refund(None, None),), **UNTOLD))
    assert "already_cancelled, stake 12.5 EUR" == told.ledger
    assert ("another round under this id is open", "no amount no currency") == (told.operator, told.wallet)
    assert ("resolved as rejected", "no view") == describe(sides("rejected", resolved=True))[::3]
    assert "no refund" == describe(sides(refunds=())).wallet
    assert describe(sides(refunds=(RIGHT,) * 11)).wallet.endswith("; and more")


# PostgreSQL knows one NaN, which signals nothing.
amounts = st.none() | st.decimals(allow_nan=True, allow_infinity=True).filter(lambda amount: not amount.is_snan())
refund = st.builds(Refund, amounts, st.none() | st.text(max_size=4), st.none() | st.just(NOW))


@given(
    st.sampled_from([*LIVE_STATES, *RESOLUTIONS]),
    st.sampled_from([*STATUSES]),
    st.sampled_from(Operator),
    st.none() | st.lists(refund, max_size=3).map(tuple),
    amounts,
)
def test_any_sides_are_judged_and_told(
    outcome: str, vendor: str, operator: Operator, refunds: tuple[Refund, ...] | None, amount: Decimal | None
) -> None:
    """No value breaks the judgement, each kind is found once, and an unasked side proves nothing."""
    one = sides(outcome, vendor, operator, refunds, amount=amount, stake=None)
    found = judge(one, NOW, timedelta())
    assert len(found) == len(set(found))
    assert all(describe(one))
    about_vendor = {FindingKind.OPEN_AT_VENDOR, FindingKind.CANCELLED_AT_VENDOR, FindingKind.COMPLETED_AT_VENDOR}
    about_wallet = {FindingKind.REFUND_MISSING, FindingKind.REFUND_DIFFERS, FindingKind.REFUND_TWICE}
    assert vendor != "not told" or about_vendor.isdisjoint(found)
    assert refunds is not None or about_wallet.isdisjoint(found)


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=0, places=18), st.integers(0, 6))
def test_amounts_are_compared_as_numbers(amount: Decimal, zeros: int) -> None:
    """Zeros at the end of an amount change nothing, and the smallest difference is found."""
    same = Decimal(f"{amount:f}{'0' * zeros}")
    other = Decimal(f"{amount:f}{'0' * zeros}1")
    assert [] == kinds(sides(refunds=(Refund(same, "EUR"),), amount=amount))
    assert ["refund_differs"] == kinds(sides(refunds=(Refund(other, "EUR"),), amount=amount))
