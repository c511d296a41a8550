"""The rails of a run, and their overrides."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retention.core.planning.rails import (
    MIN_REPLIES,
    SURGE_RUNS,
    Limits,
    PlanTotals,
    Surge,
    check_drift,
    check_failure_ratio,
    check_plan,
    is_currency,
    measure_surge,
)

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


@pytest.mark.parametrize(
    ("trips", "planned", "max_surge", "recent"),
    [
        (False, 200, 5.0, [40]),
        (True, 201, 5.0, [40]),
        (False, 100, 5.0, [0, 0, 0]),
        (True, 101, 5.0, [0, 0, 0]),
        (False, 100, 0.5, [100]),
        (True, 101, 0.5, [200, 50, 90]),
        (False, 230, 2.3, [100]),
        (True, 231, 2.3, [100]),
        (False, 102, 5.0, [20, 21]),
        (True, 103, 5.0, [20, 21]),
        (False, 10**9, None, [1]),
    ],
    ids=[
        *("as often as allowed", "once more", "a small plan", "usually none", "a small plan below its share"),
        *("the median", "an exact limit", "beyond it", "between two medians", "beyond both", "no rail"),
    ],
)
def test_a_surge_of_stale_rounds_trips_a_rail(
    trips: bool, planned: int, max_surge: float | None, recent: list[int]
) -> None:
    """A plan trips max_surge above 100 rounds and above so many times the median of recent plans, empty ones included."""
    assert trips == bool(check_plan(PlanTotals(planned), Limits(10**9, max_surge=max_surge), recent=recent))


def test_a_surge_has_its_figures() -> None:
    """A surge tells planned, usual and allowed rounds, and its rail's text has all of them."""
    limits = Limits(10**9, max_surge=5.0)
    assert Surge(planned=206, runs=2, usual=40.5, allowed=202) == measure_surge(206, limits, [40, 41])
    expected = "206 stale rounds, usual are 40.5, the median of 2 finished runs, the policy allows 202"
    assert [f"max_surge: {expected}"] == [str(one) for one in check_plan(PlanTotals(206), limits, recent=[40, 41])]
    assert [] == check_plan(PlanTotals(206), limits, ["max_surge"], [40, 41])


def test_a_surge_needs_a_finished_run() -> None:
    """Without a finished run, max_surge judges nothing: no plan of any size trips it."""
    limits = Limits(10**9, max_surge=1.0)
    assert measure_surge(10**8, limits, []) is None
    assert [] == check_plan(PlanTotals(10**8), limits)


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=SURGE_RUNS), st.floats(0.01, 100))
def test_a_larger_plan_never_passes_where_a_smaller_one_trips(recent: list[int], max_surge: float) -> None:
    """The allowed number itself trips nothing, one round more does, and the order of the runs does not matter."""
    limits = Limits(10**9, max_surge=max_surge)
    surge = measure_surge(0, limits, recent)
    assert surge is not None
    assert [] == check_plan(PlanTotals(surge.allowed), limits, recent=recent)
    assert ["max_surge"] == [one.rail for one in check_plan(PlanTotals(surge.allowed + 1), limits, recent=recent[::-1])]


@pytest.mark.parametrize(
    ("trips", "gone", "max_drift"),
    [
        (False, {}, 0.0),
        (False, {"closed": 1}, 0.1),
        (True, {"closed": 1, "held": 1}, 0.1),
        (True, {"closed": 1}, 0.0),
        (False, {"closed": 10}, 1.0),
        (False, {"closed": 10}, None),
    ],
)
def test_a_drift_of_an_approved_set_trips_a_rail(trips: bool, gone: dict[str, int], max_drift: float | None) -> None:
    """More than the allowed share of ten approved rounds trips max_drift, and the share itself does not."""
    assert trips is (check_drift(gone, 10, max_drift) is not None)


def test_a_drift_names_its_reasons_and_can_be_overridden() -> None:
    """The text has both numbers, each reason with its rounds, and the allowed share; an override passes it."""
    gone = {"held": 1, "closed": 2}
    expected = "max_drift: 3 of 9 approved rounds are gone (2 closed, 1 on hold), the policy allows 10%"
    assert expected == str(check_drift(gone, 9, 0.1))
    assert check_drift(gone, 9, 0.1, ["max_drift"]) is None
