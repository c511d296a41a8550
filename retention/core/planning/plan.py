"""What a plan looks at, and what it found."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Context, Decimal, localcontext
from typing import TYPE_CHECKING, NamedTuple

from retention.core.planning.rails import PlanTotals, is_currency

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime, timedelta

    from retention.core.runs.stalled import OtherRun

VIEW = "retention.open_rounds"
"""The operator's view that every plan reads."""

DUPLICATED = "doubled"
"""Stands against a round that the operator's view has more than once."""

WHY_UNPLANNABLE: Mapping[str, str] = {
    "no_partner": "no partner",
    "unknown_partner": "a partner that is not configured",
    "no_market": "no market",
    "no_user_id": "no user_id",
    "no_round_id": "no round_id",
    "no_opened_at": "no opened_at",
    "bad_user_id": "a user_id that the vendor cannot take: longer than 32, or with control characters",
    "bad_round_id": "a round_id that the vendor cannot take: longer than 36, or with control characters",
    "bad_game_id": "a game_id that the vendor cannot take: empty, longer than 32, or with control characters",
    "bad_opened_at": "an opened_at that makes no sense: infinite, before 2000 or after 9000",
    "bad_last_activity_at": "a last_activity_at that makes no sense: infinite, before 2000 or after 9000",
    "bad_stake": "a stake that makes no sense: no number, or more than 20 digits before or 18 after the point",
}
"""Stands against rows of the operator's view that no run can plan, in words that follow on `with`."""

EXACT_CONTEXT = Context(prec=76)
"""For sums of money: the default of 28 digits is fewer than one amount may have."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Which open rounds are stale for a run. `max_runs` goes with `partners`, one for each. None: no such limit.

    `other_partners` are configured too, and none of the run's: their rounds are not left out by mistake.
    """

    partners: tuple[str, ...]
    max_runs: tuple[int, ...]
    open_longer_than: timedelta
    idle_longer_than: timedelta | None
    markets: tuple[str, ...] | None
    exclude_markets: tuple[str, ...]
    games: tuple[str, ...] | None
    exclude_games: tuple[str, ...]
    limit: int | None = None
    other_partners: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """Stale rounds that have all of this in common. `standing` is 'eligible', or what stands against planning them.

    Of eligible rounds alone there are games, currencies, ages and stakes. `stake` is their sum in units of `currency`,
    None where no stake is known; `unjudged` counts those whose stake max_amount cannot judge.
    """

    standing: str
    partner: str | None
    market: str | None
    game_id: str | None
    currency: str | None
    oldest: datetime | None
    rounds: int
    stake: Decimal | None
    unjudged: int = 0


class DuplicatedRound(NamedTuple):
    """A round that the operator's view has more than once; `stale_rows` counts the rows that are stale."""

    partner: str
    round_id: str
    stale_rows: int


class ListedRound(NamedTuple):
    """A round of a plan, or one that is left out of it; `standing` says which, as in Group.

    `opened_at` is text: ISO 8601 in UTC, or what the database says where the time makes no sense.
    """

    partner: str | None
    market: str | None
    game_id: str | None
    user_id: str | None
    round_id: str | None
    opened_at: str | None
    stake: Decimal | None
    currency: str | None
    standing: str


@dataclass(frozen=True, slots=True)
class Plan:
    """The stale rounds of a moment, in groups. `doubled` names the first of those that the view has more than once.

    `elsewhere`: the other runs that have such rounds in hand, or have stalled.
    """

    as_of: datetime
    groups: tuple[Group, ...]
    doubled: tuple[DuplicatedRound, ...] = ()
    elsewhere: tuple[OtherRun, ...] = ()

    @property
    def eligible(self) -> tuple[Group, ...]:
        """What would be, or is, planned."""
        return tuple(group for group in self.groups if group.standing == "eligible")

    @property
    def rounds(self) -> int:
        """How many rounds are planned."""
        return sum(group.rounds for group in self.eligible)

    @property
    def oldest(self) -> datetime | None:
        """When the oldest planned round was opened."""
        return min((group.oldest for group in self.eligible if group.oldest), default=None)

    def left_out(self) -> dict[str, int]:
        """How many stale rounds are not planned, by what stands against them."""
        counts: dict[str, int] = {}
        for group in self.groups:
            if group.standing != "eligible":
                counts[group.standing] = counts.get(group.standing, 0) + group.rounds
        return counts

    def by_partner(self) -> dict[str, int]:
        """How many rounds are planned for each partner."""
        counts: dict[str, int] = {}
        for group in self.eligible:
            if group.partner is not None:
                counts[group.partner] = counts.get(group.partner, 0) + group.rounds
        return counts

    def totals(self) -> PlanTotals:
        """What the rails look at."""
        stakes = sum_stakes((group.currency, group.stake) for group in self.eligible)
        return PlanTotals(self.rounds, stakes, sum(group.unjudged for group in self.eligible))

    def currencies_without_limit(self, limited: Iterable[str]) -> list[str]:
        """The currencies of planned stakes that max_amount, whose currencies are `limited`, has no limit for."""
        staked = {group.currency for group in self.eligible if group.currency and is_currency(group.currency)}
        return sorted(staked - {*limited}) if limited else []


def sum_stakes(stakes: Iterable[tuple[str | None, Decimal | None]]) -> dict[str, Decimal]:
    """Add up stakes by currency; one without a currency or an amount adds to none."""
    sums: dict[str, Decimal] = {}
    with localcontext(EXACT_CONTEXT):
        for currency, stake in stakes:
            if currency is not None and stake is not None:
                sums[currency] = sums.get(currency, Decimal(0)) + stake
    return sums


def eta_s(rounds: dict[str, int], rates: dict[str, float]) -> float:
    """Seconds that a plan takes at the partners' rates, which run side by side; `rates` in requests per second."""
    return max((count / rates[partner] for partner, count in rounds.items()), default=0.0)
