"""The differences between a plan and an earlier one."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from retention.core.planning.plan_comparison import ChangedSetting, Difference, PlanGroup, compare_plans

AT = datetime(2025, 3, 5, 3, tzinfo=UTC)


def group(market: str, game: str | None, stake: str | None = "1.50", currency: str | None = "EUR") -> PlanGroup:
    """Make a group of two rounds."""
    return PlanGroup(market, game, currency, AT, AT, 2, None if stake is None else Decimal(stake), 0)


def test_a_plan_is_compared_with_an_earlier_one() -> None:
    """Rounds, stakes by currency, new and missing markets and games, and changed settings are told."""
    before = [group("MT", "g1"), group("SE", "g2", "7", "SEK"), group("MT", None, None, None)]
    now = [group("MT", "g1"), group("DK", "g3")]
    found = compare_plans(before, now, {"max_rounds": 5, "mode": "enforce"}, {"max_rounds": 9, "mode": "enforce"})
    assert found == Difference(
        rounds_before=6,
        stakes_before={"EUR": Decimal("1.50"), "SEK": Decimal(7)},
        markets_new=["DK"],
        markets_gone=["SE"],
        games_new=["g3"],
        games_gone=["g2"],
        settings=[ChangedSetting("max_rounds", 5, 9)],
    )


def test_a_setting_that_one_plan_lacks_is_a_difference() -> None:
    """A setting that only one of the plans has is told, and None stands for the other."""
    found = compare_plans([], [], {"deadline": "3h"}, {"limit": 7})
    assert [ChangedSetting("deadline", "3h", None), ChangedSetting("limit", None, 7)] == found.settings


def test_the_same_plan_differs_in_nothing() -> None:
    """Beside itself, a plan has nothing new, gone or changed."""
    plan = [group("MT", "g1")]
    found = compare_plans(plan, plan, {"limit": 7}, {"limit": 7})
    assert ([], [], [], [], []) == (
        *(found.markets_new, found.markets_gone, found.games_new, found.games_gone, found.settings),
    )
