"""What a plan looks at, and what it found."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Context, Decimal, localcontext
from typing import TYPE_CHECKING, NamedTuple

from retention.core.rails import Figures

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime, timedelta

DOUBLED = "doubled"
"""Stands against a round that the operator's view has more than once."""

EXACT = Context(prec=76)
"""For sums of money: the default of 28 digits is fewer than one amount may have."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Which open rounds are stale for a run. `max_runs` goes with `partners`, one for each. None: no such limit."""

    partners: tuple[str, ...]
    max_runs: tuple[int, ...]
    open_longer_than: timedelta
    idle_longer_than: timedelta | None
    markets: tuple[str, ...] | None
    exclude_markets: tuple[str, ...]
    games: tuple[str, ...] | None
    exclude_games: tuple[str, ...]
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """Stale rounds that have all of this in common. `standing` is 'eligible', or what stands against planning them.

    `stake` is their sum in units of `currency`, None where no stake is known.
    """

    standing: str
    partner: str
    market: str
    game_id: str | None
    currency: str | None
    rounds: int
    stake: Decimal | None
    oldest: datetime


class Doubled(NamedTuple):
    """A round that the operator's view has more than once; `stale_rows` counts the rows that are stale."""

    partner: str
    round_id: str
    stale_rows: int


@dataclass(frozen=True, slots=True)
class Plan:
    """The stale rounds of a moment, in groups. `doubled` names the first of those that the view has more than once."""

    as_of: datetime
    groups: tuple[Group, ...]
    doubled: tuple[Doubled, ...] = ()

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
        return min((group.oldest for group in self.eligible), default=None)

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
            counts[group.partner] = counts.get(group.partner, 0) + group.rounds
        return counts

    def figures(self) -> Figures:
        """What the rails look at."""
        return Figures(self.rounds, sum_stakes((group.currency, group.stake) for group in self.eligible))


def sum_stakes(stakes: Iterable[tuple[str | None, Decimal | None]]) -> dict[str, Decimal]:
    """Add up stakes by currency; one without a currency or an amount adds to none."""
    sums: dict[str, Decimal] = {}
    with localcontext(EXACT):
        for currency, stake in stakes:
            if currency is not None and stake is not None:
                sums[currency] = sums.get(currency, Decimal(0)) + stake
    return sums


def eta_seconds(rounds: dict[str, int], rates: dict[str, float]) -> float:
    """Seconds that a plan takes at the partners' rates, which run side by side; `rates` in requests per second."""
    return max((count / rates[partner] for partner, count in rounds.items()), default=0.0)
