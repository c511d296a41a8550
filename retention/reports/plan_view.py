"""Reads a run's plan for the person who approves it: its rounds, the differences, and the holds that touch it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from retention.core.planning.plan_comparison import Difference, PlanGroup, compare_plans, rounds_of, stakes_of
from retention.ledger.records import records

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from decimal import Decimal
    from uuid import UUID

    from retention.ledger.database import Database, Transaction
    from retention.ledger.run_record import RunRecord

LARGEST_SHOWN = 10
"""So many of the largest stakes are shown."""


@dataclass(frozen=True, slots=True)
class MarketPlan:
    """The planned rounds of one market, and their stakes by currency, in currency units."""

    market: str
    rounds: int
    stakes: Mapping[str, Decimal]


@dataclass(frozen=True, slots=True)
class LargeStake:
    """A planned round with one of the largest stakes of its currency, in currency units."""

    id: int
    partner: str
    market: str
    game_id: str | None
    user_id: str
    round_id: str
    opened_at: datetime
    stake: Decimal
    stake_currency: str | None


@dataclass(frozen=True, slots=True)
class TouchingHold:
    """A hold that stands now and spares `rounds` rounds of the plan: these are not called while it stands."""

    hold_id: int
    partner: str | None
    market: str | None
    game_id: str | None
    user_id: str | None
    round_id: str | None
    reason: str
    created_by: str
    created_at: datetime
    until: datetime | None
    rounds: int


@dataclass(frozen=True, slots=True)
class PreviousPlan:
    """The last approved run of the policy before this one, and how this one differs from it."""

    run_id: UUID
    as_of: datetime
    approved_by: str
    approved_at: datetime
    difference: Difference


@dataclass(frozen=True, slots=True)
class PlanView:
    """The plan of a run that has not begun. Stakes are in currency units.

    `unjudged` counts the rounds with a stake that no limit can judge. `previous` is None for the first approved run.
    """

    rounds: int
    stakes: Mapping[str, Decimal]
    unjudged: int
    oldest: datetime | None
    newest: datetime | None
    markets: Sequence[MarketPlan]
    largest: Sequence[LargeStake]
    holds: Sequence[TouchingHold]
    previous: PreviousPlan | None


def is_before_its_start(record: RunRecord) -> bool:
    """Whether a run waits with a written plan: no request of it has left yet."""
    waits = record.status in {"planned", "awaiting_approval"} or (
        record.status == "halted" and record.started_at is None
    )
    return waits and record.unwritten is None


async def read_plan_view(database: Database, record: RunRecord) -> PlanView:
    """Read the plan of a run, as of one moment."""
    async with database.transaction(snapshot=True) as transaction:
        groups = await _groups(transaction, record.run_id)
        largest = await transaction.rows("reports/list_largest_stakes", run_id=record.run_id, limit=LARGEST_SHOWN)
        holds = await transaction.rows("reports/list_plan_holds", run_id=record.run_id)
        earlier = await transaction.row("reports/get_approved_run", policy=record.policy, as_of=record.as_of)
        previous = None
        if earlier is not None:
            before = await _groups(transaction, earlier.run_id)
            difference = compare_plans(before, groups, earlier.settings, record.settings)
            previous = PreviousPlan(earlier.run_id, earlier.as_of, earlier.approved_by, earlier.approved_at, difference)
    return PlanView(
        rounds=rounds_of(groups),
        stakes=stakes_of(groups),
        unjudged=sum(one.unjudged for one in groups),
        oldest=min((one.oldest for one in groups), default=None),
        newest=max((one.newest for one in groups), default=None),
        markets=_by_market(groups),
        largest=records(LargeStake, largest),
        holds=records(TouchingHold, holds),
        previous=previous,
    )


async def _groups(transaction: Transaction, run_id: UUID) -> list[PlanGroup]:
    return records(PlanGroup, await transaction.rows("reports/sum_plan_groups", run_id=run_id))


def _by_market(groups: Sequence[PlanGroup]) -> list[MarketPlan]:
    markets: dict[str, list[PlanGroup]] = {}
    for one in groups:
        markets.setdefault(one.market, []).append(one)
    return [MarketPlan(market, rounds_of(some), stakes_of(some)) for market, some in sorted(markets.items())]
