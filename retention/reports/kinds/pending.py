"""The pending rounds of a period: stale rounds, what became of them, and a reconciliation per market and currency.

A round is pending from the moment when it becomes stale until it ends. `at_begin + became_stale - completed - cancelled
- gone = at_end` holds for each market and currency, and `at_end` of one period is `at_begin` of the next one.

The ledger keeps its past, and the operator's view has none. So the report has the rounds that a run ever planned, a dry
run too, and the rounds that the view has now. A round that ended between two runs, unplanned, is in neither.

- A round is its partner, its id and the time when it was opened.
- It becomes stale by the configured policies that select it, and at the latest when a run first plans it. Once planned
  it stays pending until it ends, although its player comes back.
- It is cancelled when the ledger says so. The view may still have it: that is a conflict, and the row names it.
- While the view has it otherwise, it is open, whatever the vendor said.
- It is completed when the view has it no more, and a settlement or a person found it completed or no longer open.
- It is gone when the view has it no more, and no record tells how it ended. It counts in the period in which a run last
  planned it: later, nothing shows it open. The gone rounds are the named difference.

A period has its first moment and lacks its last one. `at_begin` counts rounds that became stale before the first moment
and had not ended before it; `at_end` counts likewise. A period that is not over ends now.

The view is read twice, whole, because a look-up per round needs an index that the view may not have.
"""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg.types.json import Jsonb

from retention.ledger.details import CAME_BACK
from retention.ledger.operator_view import reading_view
from retention.ledger.records import records

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping
    from datetime import datetime
    from decimal import Decimal
    from uuid import UUID

    from retention.core.planning.plan import Scope
    from retention.reports.kinds.kind import Reading


@dataclass(frozen=True, slots=True)
class PendingRound:
    """A round that was open and stale at some moment of the period. The stake is in currency units.

    `outcome` at the period's end: open, cancelled, completed or gone; `ended_at` is known of cancelled and completed
    rounds. `run_id` planned the round last, at `last_planned_at`; `state` is the state of that cancellation now. All
    three are None where no run has planned it.
    """

    partner: str
    market: str
    game_id: str | None
    user_id: str
    round_id: str
    opened_at: datetime
    stale_at: datetime
    at_begin: bool
    outcome: str
    ended_at: datetime | None
    at_end: bool
    stake_currency: str | None
    stake: Decimal | None
    run_id: UUID | None
    policy: str | None
    state: str | None
    last_planned_at: datetime | None
    note: str | None


@dataclass(frozen=True, slots=True)
class PendingTotal:
    """The reconciliation of one market and one currency of stakes, None where it is not known.

    `at_begin + became_stale - completed - cancelled - gone = at_end`. `left_out` counts rows of the view that no plan
    can take now: nothing tells their rounds. A row without a market has the market None.
    """

    market: str | None
    currency: str | None
    at_begin: int
    became_stale: int
    completed: int
    cancelled: int
    gone: int
    at_end: int
    at_begin_stake: Decimal
    at_end_stake: Decimal
    left_out: int


class PendingRounds:
    """The kind `pending`."""

    row = PendingRound
    total = PendingTotal

    async def totals(self, reading: Reading) -> tuple[tuple[PendingTotal, ...], int]:
        """Read the totals, and the number of rounds. Raises ViewError."""
        with reading_view():
            rows = await reading.transaction.rows(
                "reports/sum_pending_rounds", **_selected(reading), other_partners=_other_partners(reading)
            )
        totals = tuple(records(PendingTotal, rows))
        return totals, sum(total.at_begin + total.became_stale for total in totals)

    async def rows(self, reading: Reading) -> AsyncGenerator[PendingRound, None]:
        """Read the rounds in the order in which they became stale. Raises ViewError."""
        with reading_view():
            stream = reading.transaction.stream(
                "reports/list_pending_rounds", **_selected(reading), pseudonymise=reading.selection.pseudonymise
            )
            async with aclosing(stream):
                async for row in stream:
                    yield _round(row)


def _selected(reading: Reading) -> Mapping[str, Any]:
    """Return the parameters of shared/pending_rounds.sql. No period reaches beyond now."""
    selection, now = reading.selection, reading.now
    return {
        "start": selection.start and min(selection.start, now),
        "end": min(selection.end or now, now),
        **selection.filters(),
        "scopes": Jsonb([_scope(name, scope) for name, scope in _scopes(reading).items()]),
        "came_back": CAME_BACK,
    }


def _scopes(reading: Reading) -> dict[str, Scope]:
    chosen = reading.selection.policies
    return {name: scope for name, scope in reading.configured.scopes.items() if chosen is None or name in chosen}


def _other_partners(reading: Reading) -> list[str]:
    """Return the configured partners that no selected policy has."""
    known = {name for scope in reading.configured.scopes.values() for name in (*scope.partners, *scope.other_partners)}
    return sorted(known - {name for scope in _scopes(reading).values() for name in scope.partners})


def _scope(name: str, scope: Scope) -> Mapping[str, Any]:
    idle = scope.idle_longer_than
    return {
        "policy": name,
        "partners": scope.partners,
        "markets": scope.markets,
        "exclude_markets": scope.exclude_markets,
        "games": scope.games,
        "exclude_games": scope.exclude_games,
        "open_longer_than": scope.open_longer_than.total_seconds(),
        "idle_longer_than": None if idle is None else idle.total_seconds(),
    }


def _round(row: Any) -> PendingRound:
    return PendingRound(
        partner=row.partner,
        market=row.market,
        game_id=row.game_id,
        user_id=row.user_id,
        round_id=row.round_id,
        opened_at=row.opened_at,
        stale_at=row.stale_at,
        at_begin=row.at_begin,
        outcome=row.outcome,
        ended_at=row.ended_at,
        at_end=row.at_end,
        stake_currency=row.stake_currency,
        stake=row.stake,
        run_id=row.run_id,
        policy=row.policy,
        state=row.state,
        last_planned_at=row.last_planned_at,
        note=_note(row),
    )


def _note(row: Any) -> str | None:
    """Name a contradiction of ledger, vendor and view as it is now."""
    if row.fate == "gone":
        return "not in the operator's view any more, and no record tells how it ended"
    if not row.in_view:
        return None
    if row.fate == "cancelled":
        return "conflict: cancelled, and still open in the operator's view"
    if not row.usable:
        return "the operator's view has this round more than once, or with a value that makes no sense"
    if row.last_outcome == "already_completed":
        return "completed at the vendor, and still open in the operator's view"
    return None
