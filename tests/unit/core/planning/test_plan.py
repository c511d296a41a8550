"""The plan: its counts, totals and estimates."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retention.core.planning.eta import Pace, eta_s
from retention.core.planning.plan import Group, Plan, Scope, sum_stakes

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def group(rounds: int, **changes: Any) -> Group:
    """A group of stale rounds."""
    values: dict[str, Any] = {
        "standing": "eligible",
        "partner": "acme",
        "market": "MT",
        "game_id": None,
        "currency": "EUR",
        "rounds": rounds,
        "stake": Decimal(rounds),
        "oldest": NOW - timedelta(days=rounds),
    }
    return Group(**{**values, **changes})


PLAN = Plan(
    NOW,
    (
        group(3),
        group(4, partner="beta", currency="SEK", stake=Decimal("0.10")),
        group(5, market="SE", stake=None),
        group(6, currency=None),
        group(7, standing="held"),
        group(8, standing="held", partner="beta"),
        group(9, standing="given_up"),
    ),
)


def test_a_plan_counts_eligible_rounds() -> None:
    """Only eligible rounds are planned, counted by partner, and the oldest of them is the plan's oldest."""
    assert 18 == PLAN.rounds
    assert {"acme": 14, "beta": 4} == PLAN.by_partner()
    assert NOW - timedelta(days=6) == PLAN.oldest
    assert 4 == len(PLAN.eligible)


def test_a_plan_counts_the_rounds_it_leaves_out() -> None:
    """Rounds that are left out are counted by reason over all partners and markets."""
    assert {"held": 15, "given_up": 9} == PLAN.left_out()


def test_the_totals_sum_planned_rounds_by_currency() -> None:
    """Stakes are summed by currency over planned rounds alone; a stake without a currency or an amount is left out."""
    totals = PLAN.totals()
    assert (18, {"EUR": Decimal(3), "SEK": Decimal("0.10")}) == (totals.rounds, totals.stakes)


def test_a_scope_has_no_limit_by_default() -> None:
    """Without a limit all stale rounds are planned."""
    assert Scope(("acme",), (3,), timedelta(hours=72), None, None, (), None, ()).limit is None


def test_a_plan_may_be_empty() -> None:
    """A plan without stale rounds has no rounds, no oldest, no stakes and takes no time."""
    plan = Plan(NOW, ())
    assert (0, None, {}, {}) == (plan.rounds, plan.oldest, plan.left_out(), plan.totals().stakes)
    assert 0.0 == eta_s(plan.by_partner(), {})


@given(st.lists(st.integers(0, 10**38 - 1), max_size=20))
@settings(deadline=None)
def test_sums_of_stakes_are_exact(units: list[int]) -> None:
    """Twenty digits before and eighteen after the point add up to the last digit."""
    stakes = [Decimal(f"{unit}e-18") for unit in units]
    expected = {"EUR": f"{sum(units)}e-18"} if units else {}
    assert {name: Decimal(total) for name, total in expected.items()} == sum_stakes(("EUR", stake) for stake in stakes)


@pytest.mark.parametrize(
    ("seconds", "rounds"),
    [(5.0, {"acme": 100}), (10.0, {"acme": 100, "beta": 5}), (0.0, {})],
)
def test_partners_are_called_in_parallel(seconds: float, rounds: dict[str, int]) -> None:
    """A plan takes as long as its slowest partner."""
    assert seconds == eta_s(rounds, {"acme": Pace(20.0), "beta": Pace(0.5)})
