"""Compares a plan with an earlier one: the differences that a person should know before approving it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from retention.core.planning.plan import sum_stakes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime
    from decimal import Decimal


@dataclass(frozen=True, slots=True)
class PlanGroup:
    """Planned rounds that share these values. `stake` is their sum in units of `currency`, None where none is known.

    `unjudged` counts the rounds with a stake that no limit can judge.
    """

    market: str
    game_id: str | None
    currency: str | None
    oldest: datetime
    newest: datetime
    rounds: int
    stake: Decimal | None
    unjudged: int


@dataclass(frozen=True, slots=True)
class ChangedSetting:
    """A setting of the policy with its earlier and its present value; None where it is not set."""

    key: str
    before: Any
    now: Any


@dataclass(frozen=True, slots=True)
class Difference:
    """How a plan differs from an earlier one. `rounds_before` and `stakes_before` are the earlier plan's."""

    rounds_before: int
    stakes_before: Mapping[str, Decimal]
    markets_new: Sequence[str]
    markets_gone: Sequence[str]
    games_new: Sequence[str]
    games_gone: Sequence[str]
    settings: Sequence[ChangedSetting]


def compare_plans(
    before: Sequence[PlanGroup],
    now: Sequence[PlanGroup],
    settings_before: Mapping[str, Any],
    settings_now: Mapping[str, Any],
) -> Difference:
    """Compare two plans by their groups, and the settings that they were made with."""
    markets_new, markets_gone = _new_and_gone((one.market for one in before), (one.market for one in now))
    games_new, games_gone = _new_and_gone((one.game_id for one in before), (one.game_id for one in now))
    return Difference(
        rounds_of(before),
        stakes_of(before),
        markets_new,
        markets_gone,
        games_new,
        games_gone,
        [
            ChangedSetting(key, settings_before.get(key), settings_now.get(key))
            for key in sorted({*settings_before, *settings_now})
            if settings_before.get(key) != settings_now.get(key)
        ],
    )


def rounds_of(groups: Iterable[PlanGroup]) -> int:
    """Count the rounds of some groups."""
    return sum(one.rounds for one in groups)


def stakes_of(groups: Iterable[PlanGroup]) -> dict[str, Decimal]:
    """Sum the stakes of some groups, by currency."""
    return dict(sorted(sum_stakes((one.currency, one.stake) for one in groups).items()))


def _new_and_gone(before: Iterable[str | None], now: Iterable[str | None]) -> tuple[list[str], list[str]]:
    earlier, present = {one for one in before if one is not None}, {one for one in now if one is not None}
    return sorted(present - earlier), sorted(earlier - present)
