"""The scope of a plan, and the plan itself."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Context, Decimal, localcontext
from typing import TYPE_CHECKING, NamedTuple

from retention.core.planning.rails import PlanTotals, is_currency

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime, timedelta

    from retention.core.planning.named_rounds import RefusedRound
    from retention.core.planning.view_source import ViewSource
    from retention.core.runs.stalled import OtherRun

DUPLICATED = "doubled"
"""The reason against a round that the operator's view has more than once."""

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
"""The reasons against rows of the operator's view that no run can plan, worded to follow `with`."""

EXACT_CONTEXT = Context(prec=76)
"""The context for sums of money: one amount may have more digits than the default of 28."""


@dataclass(frozen=True, slots=True)
class Scope:
    """The limits that make an open round stale for a run. None is no limit; `max_runs` has one entry per partner.

    `other_partners` are configured, but not the run's. A round of neither has an unknown partner.
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
    """Stale rounds that share these values. `standing` is 'eligible', or the reason why they are not planned.

    Only eligible rounds have game, currency, age and stake. `stake` is their sum in units of `currency`, None where no
    stake is known. `unjudged` counts the rounds with a stake that max_amount cannot judge.
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
    """A round that the operator's view has more than once; `stale_rows` counts its stale rows."""

    partner: str
    round_id: str
    stale_rows: int


class ListedRound(NamedTuple):
    """A round that a plan holds or leaves out, by its `standing`, as in Group.

    `opened_at` is text: ISO 8601 in UTC, or the database's own text of a time that makes no sense.
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
    """The stale rounds at `as_of`, in groups. `doubled` names the first rounds that the view has more than once.

    `elsewhere`: the other runs that have such rounds, or have stalled. `refused`: of a targeted run's named rounds,
    those that are not planned. `source`: the server that the view was read on, where a replica is configured.
    """

    as_of: datetime
    groups: tuple[Group, ...]
    doubled: tuple[DuplicatedRound, ...] = ()
    elsewhere: tuple[OtherRun, ...] = ()
    refused: tuple[RefusedRound, ...] = ()
    source: ViewSource | None = None

    @property
    def eligible(self) -> tuple[Group, ...]:
        """The groups of planned rounds."""
        return tuple(group for group in self.groups if group.standing == "eligible")

    @property
    def rounds(self) -> int:
        """The number of planned rounds."""
        return sum(group.rounds for group in self.eligible)

    @property
    def oldest(self) -> datetime | None:
        """The time when the oldest planned round was opened."""
        return min((group.oldest for group in self.eligible if group.oldest), default=None)

    def left_out(self) -> dict[str, int]:
        """The number of stale rounds that are not planned, by reason."""
        counts: dict[str, int] = {}
        for group in self.groups:
            if group.standing != "eligible":
                counts[group.standing] = counts.get(group.standing, 0) + group.rounds
        return counts

    def by_partner(self) -> dict[str, int]:
        """The number of planned rounds by partner."""
        counts: dict[str, int] = {}
        for group in self.eligible:
            if group.partner is not None:
                counts[group.partner] = counts.get(group.partner, 0) + group.rounds
        return counts

    def totals(self) -> PlanTotals:
        """The totals that the rails check."""
        stakes = sum_stakes((group.currency, group.stake) for group in self.eligible)
        return PlanTotals(self.rounds, stakes, sum(group.unjudged for group in self.eligible))

    def currencies_without_limit(self, limited: Iterable[str]) -> list[str]:
        """The currencies of planned stakes without a limit in max_amount, which limits the currencies of `limited`."""
        staked = {group.currency for group in self.eligible if group.currency and is_currency(group.currency)}
        return sorted(staked - {*limited}) if limited else []


def sum_stakes(stakes: Iterable[tuple[str | None, Decimal | None]]) -> dict[str, Decimal]:
    """Sum stakes by currency. A stake without a currency or an amount is left out."""
    sums: dict[str, Decimal] = {}
    with localcontext(EXACT_CONTEXT):
        for currency, stake in stakes:
            if currency is not None and stake is not None:
                sums[currency] = sums.get(currency, Decimal(0)) + stake
    return sums
