"""Changes that make a policy stricter."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from retention.core.runs.stricter import stricter_settings

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
POLICY: dict[str, Any] = {
    "partners": ("acme", "beta"),
    "markets": ("MT", "SE"),
    "exclude_markets": ("GB",),
    "games": None,
    "exclude_games": (),
    "open_longer_than": DAY,
    "idle_longer_than": HOUR,
    "mode": "enforce",
    "max_rounds": 100,
    "max_amount": {"EUR": Decimal(500)},
    "max_amount_unknown": 2,
    "max_surge": 5.0,
    "max_drift": 0.1,
    "max_failure_ratio": 0.2,
    "winnings": "cancel",
    "deadline": 3 * HOUR,
    "requires_approval": True,
    "approval": "claimed",
    "approval_expires": DAY,
}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"open_longer_than": 2 * DAY}, "open_longer_than was 1d, is 2d"),
        ({"idle_longer_than": 2 * HOUR}, "idle_longer_than was 1h, is 2h"),
        ({"partners": ("acme",)}, "partners was acme, beta, is acme"),
        ({"markets": ("MT",)}, "markets was MT, SE, is MT"),
        ({"games": ("g1",)}, "games was not set, is g1"),
        ({"exclude_markets": ("GB", "DK")}, "exclude_markets was GB, is GB, DK"),
        ({"exclude_games": ("g1",)}, "exclude_games was none, is g1"),
        ({"mode": "dry_run"}, "mode was enforce, is dry_run"),
        ({"max_rounds": 99}, "max_rounds was 100, is 99"),
        ({"max_amount": {"EUR": Decimal("499.99")}}, "max_amount of EUR was 500, is 499.99"),
        ({"max_amount": {"EUR": Decimal(500), "SEK": Decimal(1)}}, "max_amount of SEK was not set, is 1"),
        ({"max_amount_unknown": 1}, "max_amount_unknown was 2, is 1"),
        ({"max_surge": 4.5}, "max_surge was 5.0, is 4.5"),
        ({"max_drift": 0.0}, "max_drift was 0.1, is 0.0"),
        ({"max_failure_ratio": 0.1}, "max_failure_ratio was 0.2, is 0.1"),
        ({"winnings": "review"}, "winnings was cancel, is review"),
        ({"deadline": HOUR}, "deadline was 3h, is 1h"),
        ({"approval": "authenticated"}, "approval was claimed, is authenticated"),
        ({"approval_expires": HOUR}, "approval_expires was 1d, is 1h"),
    ],
)
def test_each_key_can_become_stricter(change: dict[str, Any], words: str) -> None:
    """A value that selects less or allows less is named with both values; the way back is not stricter."""
    assert [words] == stricter_settings(POLICY, POLICY | change)
    assert [] == stricter_settings(POLICY | change, POLICY)


def test_a_required_approval_is_stricter() -> None:
    """An approval that was not required before is stricter; how it is given matters only where it is required."""
    free = POLICY | {"requires_approval": False}
    assert ["requires_approval was false, is true"] == stricter_settings(free, POLICY)
    assert [] == stricter_settings(POLICY, free)
    assert [] == stricter_settings(free, free | {"approval": "authenticated", "approval_expires": HOUR})


def test_a_new_limit_is_stricter() -> None:
    """A limit that was not there before is stricter; a removed limit is not."""
    bare = POLICY | dict.fromkeys(("idle_longer_than", "deadline", "markets", "max_surge", "max_drift"))
    assert 5 == len(stricter_settings(bare, POLICY))
    assert [] == stricter_settings(POLICY, bare)


def test_max_amount_unknown_counts_only_with_max_amount() -> None:
    """Without max_amount, max_amount_unknown limits nothing; a new limit is named by itself."""
    free = POLICY | {"max_amount": {}, "max_amount_unknown": 5}
    assert [] == stricter_settings(free, free | {"max_amount_unknown": 0})
    assert "max_amount of EUR was not set, is 500" in stricter_settings(free, POLICY)


def test_the_same_policy_is_not_stricter() -> None:
    """The same policy is not stricter, and a removed policy is."""
    assert [] == stricter_settings(POLICY, POLICY)
    assert ["the policy is not configured any more"] == stricter_settings(POLICY, None)
