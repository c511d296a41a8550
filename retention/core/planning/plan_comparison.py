"""Compares a plan with an earlier one: the differences that a person should know before approving it.

`plan --compare` compares round by round what earlier runs planned with what a run would plan now. Each round has one
`Word`, so the counts add up. A round of several runs counts once, as the first of them planned it.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from retention.core.planning.plan import sum_stakes
from retention.core.planning.view_source import VIEW_AT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime
    from decimal import Decimal
    from uuid import UUID

    from retention.core.planning.breakdown import By


class Word(enum.StrEnum):
    """What became of a round that an earlier run planned, in the order of lists; NEW: none of them planned it."""

    COMPLETED = "completed"
    ACTIVE = "active"
    ANOTHER_ROUND = "another_round"
    GONE = "gone"
    STILL_STALE = "still_stale"
    CHANGED_STAKE = "changed_stake"
    HELD = "held"
    LEFT_OUT = "left_out"
    CANCELLED = "cancelled"
    NEW = "new"


CAME_BACK = frozenset({Word.COMPLETED, Word.ACTIVE, Word.ANOTHER_ROUND, Word.GONE})
"""The rounds that came back: the vendor completed them, their player was active, or they are not open any more."""


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


class ComparedGroup(NamedTuple):
    """Compared rounds that share these values. `why`: the reason of `left_out` and `another_round`.

    `planned_now`: a run would cancel them now, which may be so of rounds that came back.

    `stake` is their sum then, in units of `currency`, and for new rounds the sum now. `stake_now` and `currency_now`
    are those of changed stakes. None: unknown.
    """

    word: str
    why: str | None
    planned_now: bool
    partner: str
    market: str
    game_id: str | None
    currency: str | None
    currency_now: str | None
    rounds: int
    stake: Decimal | None
    stake_now: Decimal | None


class ComparedRound(NamedTuple):
    """A compared round, with its values as the run `run_id` planned it; a new round has no run and its values of now.

    `stake_now` and `currency_now` are those of a changed stake, `last_activity_at` that of an active round.
    """

    word: str
    why: str | None
    planned_now: bool
    partner: str
    market: str
    game_id: str | None
    user_id: str
    round_id: str
    opened_at: datetime
    stake: Decimal | None
    currency: str | None
    stake_now: Decimal | None
    currency_now: str | None
    last_activity_at: datetime | None
    run_id: UUID | None


class Came(NamedTuple):
    """Rounds of one market, game or partner (`name`): planned then, come back since, and planned now."""

    name: str | None
    then: int
    came_back: int
    now: int


def came_by(groups: Iterable[ComparedGroup], by: By) -> list[Came]:
    """Count compared rounds by market, game or partner; those with the most that came back first."""
    counts: dict[str | None, list[int]] = {}
    for group in groups:
        count = counts.setdefault(by.of(group), [0, 0, 0])
        for nth, counted in enumerate((group.word != Word.NEW, group.word in CAME_BACK, group.planned_now)):
            count[nth] += group.rounds if counted else 0
    return sorted(
        (Came(name, *count) for name, count in counts.items()), key=lambda one: (-one.came_back, one.name or "")
    )


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
        changed_settings(settings_before, settings_now),
    )


def changed_settings(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[ChangedSetting]:
    """List the settings that differ, in the order of their names; the moment of the view is no choice of anybody."""
    return [
        ChangedSetting(key, before.get(key), now.get(key))
        for key in sorted({*before, *now} - {VIEW_AT})
        if before.get(key) != now.get(key)
    ]


def rounds_of(groups: Iterable[PlanGroup]) -> int:
    """Count the rounds of some groups."""
    return sum(one.rounds for one in groups)


def stakes_of(groups: Iterable[PlanGroup]) -> dict[str, Decimal]:
    """Sum the stakes of some groups, by currency."""
    return dict(sorted(sum_stakes((one.currency, one.stake) for one in groups).items()))


def _new_and_gone(before: Iterable[str | None], now: Iterable[str | None]) -> tuple[list[str], list[str]]:
    earlier, present = {one for one in before if one is not None}, {one for one in now if one is not None}
    return sorted(present - earlier), sorted(earlier - present)
