"""The rails of a run, and their overrides."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retention.core.planning.rails import MIN_REPLIES, Limits, PlanTotals, check_failure_ratio, check_plan, is_currency

LIMITS = Limits(100, {"EUR": Decimal("50.00"), "SEK": Decimal(500)})


def tripped(figures: PlanTotals, limits: Limits = LIMITS, passed: tuple[str, ...] = ()) -> list[str]:
    """The rails that a plan trips, as texts."""
    return [str(rail) for rail in check_plan(figures, limits, passed)]


@pytest.mark.parametrize(
    "figures",
    [
        PlanTotals(0),
        PlanTotals(100),
        PlanTotals(100, {"EUR": Decimal("50.00")}),
        PlanTotals(100, {"EUR": Decimal("50.000000000000000000"), "SEK": Decimal("499.99")}),
        PlanTotals(100, {"USD": Decimal(10**20)}),
    ],
)
def test_a_plan_within_its_limits_trips_no_rail(figures: PlanTotals) -> None:
    """A limit may be reached, and a currency without a limit has none."""
    assert [] == tripped(figures)


@pytest.mark.parametrize(
    ("words", "figures"),
    [
        (["max_rounds: 101 stale rounds, the policy allows 100"], PlanTotals(101)),
        (["max_amount: stakes of 50.01 EUR, the policy allows 50.00"], PlanTotals(1, {"EUR": Decimal("50.01")})),
        (
            ["max_amount: stakes of 50.000000000000000001 EUR, the policy allows 50.00"],
            PlanTotals(1, {"EUR": Decimal("50.000000000000000001")}),
        ),
        (
            ["max_amount: stakes of 60.00 EUR, the policy allows 50.00; 501.00 SEK, the policy allows 500.00"],
            PlanTotals(1, {"SEK": Decimal(501), "EUR": Decimal(60)}),
        ),
    ],
)
def test_a_plan_beyond_a_limit_trips_the_rail(words: list[str], figures: PlanTotals) -> None:
    """One round or one smallest unit too many trips the rail, and its text names both numbers."""
    assert words == tripped(figures)


@pytest.mark.parametrize(
    ("figures", "limits"),
    [(PlanTotals(1), Limits(1, {"EUR": Decimal("0.5")})), (PlanTotals(1, {"EUR": Decimal(10**20)}), Limits(1))],
    ids=["no stakes", "no limit"],
)
def test_a_missing_stake_or_limit_trips_no_rail(figures: PlanTotals, limits: Limits) -> None:
    """A currency without a stake stays below any limit, and a policy without limits allows any stake."""
    assert [] == tripped(figures, limits)


def test_both_rails_of_a_plan_can_trip() -> None:
    """All tripped rails are named, so that an override covers each of them."""
    assert ["max_rounds", "max_amount"] == [
        rail.rail for rail in check_plan(PlanTotals(101, {"EUR": Decimal(51)}), LIMITS)
    ]


def test_a_person_passes_one_rail_and_no_other() -> None:
    """An overridden rail does not trip again; the others still do."""
    figures = PlanTotals(101, {"EUR": Decimal(51)})
    assert ["max_amount"] == [rail.rail for rail in check_plan(figures, LIMITS, ["max_rounds"])]
    assert [] == check_plan(figures, LIMITS, ["max_amount", "max_rounds"])
    assert 2 == len(check_plan(figures, LIMITS, ["max_failure_ratio", "max"]))


@pytest.mark.parametrize(
    ("trips", "window", "ratio"),
    [
        (False, "", 0.2),
        (False, "1" * 49, 0.2),
        (True, "1" * 50, 0.2),
        (False, "1" * 50, 1.0),
        (False, "1" * 10 + "0" * 40, 0.2),
        (True, "1" * 11 + "0" * 39, 0.2),
        (False, "1" * 40 + "0" * 160, 0.2),
        (True, "1" * 41 + "0" * 159, 0.2),
        (True, "1" + "0" * 199, 0.001),
        (False, "0" * 200, 0.001),
    ],
)
def test_the_failure_ratio_halts_a_run(trips: bool, window: str, ratio: float) -> None:
    """The rail trips above the allowed share of the newest replies, and never below fifty replies."""
    assert trips == (check_failure_ratio(window, ratio) is not None)


@given(st.integers(MIN_REPLIES, 200), st.data())
@settings(deadline=None)
def test_the_allowed_failure_ratio_itself_does_not_halt(replies: int, data: st.DataObject) -> None:
    """Exactly the allowed share of failures does not trip the rail, and one more failure does."""
    failed = data.draw(st.integers(1, replies - 1))
    ratio = failed / replies
    assert check_failure_ratio("1" * failed + "0" * (replies - failed), ratio) is None
    assert check_failure_ratio("1" * (failed + 1) + "0" * (replies - failed - 1), ratio) is not None


def test_the_failure_ratio_is_named_and_can_be_overridden() -> None:
    """The text holds both numbers, also of a share below one per cent, and the rail can be overridden."""
    window = "1" * 3 + "0" * 197
    expected = "max_failure_ratio: 3 of the last 200 replies were refused or in doubt, the policy allows 0.5%"
    assert expected == str(check_failure_ratio(window, 0.005))
    assert str(check_failure_ratio("1" * 200, 0.29)).endswith("the policy allows 29%")
    assert check_failure_ratio(window, 0.005, ["max_failure_ratio"]) is None


@pytest.mark.parametrize(
    ("words", "unjudged", "limits"),
    [
        ([], 1, Limits(100)),
        ([], 3, Limits(100, {"EUR": Decimal(50)}, 3)),
        (["4 rounds", "the policy allows 3"], 4, Limits(100, {"EUR": Decimal(50)}, 3)),
        (["1 round ", "the policy allows 0"], 1, Limits(100, {"EUR": Decimal(50)})),
    ],
)
def test_unjudged_stakes_trip_a_rail_that_can_be_overridden(words: list[str], unjudged: int, limits: Limits) -> None:
    """With max_amount, more unjudged stakes than allowed trip a rail, which can be overridden alone."""
    figures = PlanTotals(10, {"EUR": Decimal(1)}, unjudged)
    found = tripped(figures, limits)
    assert bool(words) == bool(found)
    assert all(word in found[0] for word in words)
    assert ["max_amount_unknown"] * len(found) == [rail.rail for rail in check_plan(figures, limits)]
    assert [] == check_plan(figures, limits, ["max_amount_unknown"])


@pytest.mark.parametrize(
    ("is_one", "code"),
    [(True, "EUR"), (False, "eur"), (False, "EURO"), (False, ""), (False, "EU"), (False, "EUR\n"), (False, "ÉUR")],
)
def test_a_currency_has_three_capital_letters(is_one: bool, code: str) -> None:
    """A currency has the form of an ISO 4217 code."""
    assert is_one is is_currency(code)
