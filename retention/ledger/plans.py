"""Writes the plans of runs: a run's rounds, and the doubts that it takes up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg.types.json import Jsonb

from retention.core.planning.plan import Group, Plan
from retention.core.sending.backoff import BASE
from retention.core.text import decimal_text
from retention.ledger import details
from retention.ledger.clocks import correct_leases
from retention.ledger.operator_view import reading_the_view

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from retention.core.planning.plan import Scope
    from retention.core.planning.rails import PlanTotals
    from retention.ledger.claims import PartnerTerms
    from retention.ledger.clocks import ClockTerms
    from retention.ledger.database import Transaction
    from retention.ledger.runs import RunRequest


async def freeze(
    transaction: Transaction,
    run_id: UUID,
    scope: Scope,
    terms: Sequence[PartnerTerms],
    as_of: datetime,
    max_rounds: int | None,
    clock: ClockTerms,
) -> Plan:
    """Write an enforcing run's plan. Where there is too much of it, what earlier runs left stays theirs as well."""
    limits = scope_parameters(scope, as_of)
    await transaction.rows("plans/ensure_partners", partners=[partner.partner for partner in terms])
    abandoned = [row.run_id for row in await transaction.rows("runs/list_inactive_runs", run_id=run_id)]
    for partner in terms:
        for correction in await correct_leases(transaction, clock.limit, abandoned, partner):
            clock.corrected(correction)
        await transaction.rows(
            "claims/expire_claims",
            now=clock.trusted_now(),
            partner=partner.partner,
            run_ids=abandoned,
            above=0,
            up_to=None,
            status_probe=partner.status_probe,
            max_attempts=partner.max_attempts,
            back_off=BASE,
            detail=details.REPLY_LOST,
            but=[],
        )
    if abandoned:
        with reading_the_view():
            values = {"detail": details.PLANNED_AGAIN.format(run_id), "max_rounds": max_rounds, **limits}
            await transaction.rows("plans/supersede_rounds", limit=scope.limit, **values)
    plan = await write(transaction, run_id, scope, as_of, max_rounds, dry_run=False)
    if max_rounds is not None and plan.rounds > max_rounds:
        await transaction.rows(
            "plans/record_unwritten_plan", run_id=run_id, unwritten_plan=Jsonb(as_record(plan.figures()))
        )
        return plan
    for partner in terms:
        await transaction.rows(
            "plans/adopt_doubts",
            run_id=run_id,
            partner=partner.partner,
            markets=limits["markets"],
            games=limits["games"],
            exclude_markets=limits["exclude_markets"],
            exclude_games=limits["exclude_games"],
        )
    return plan


async def write(
    transaction: Transaction, run_id: UUID, scope: Scope, as_of: datetime, max_rounds: int | None, *, dry_run: bool
) -> Plan:
    """Write the rounds of a plan, unless they are more than `max_rounds`, and return what it comes to."""
    with reading_the_view():
        rows = await transaction.rows(
            "plans/freeze_plan",
            run_id=run_id,
            dry_run=dry_run,
            dry_run_detail=details.DRY_RUN,
            limit=scope.limit,
            max_rounds=max_rounds,
            **scope_parameters(scope, as_of),
        )
    return Plan(as_of, tuple(Group(*row) for row in rows))


def as_record(figures: PlanTotals) -> dict[str, Any]:
    """What the ledger keeps of a plan that is not written."""
    stakes = {currency: decimal_text(stake) for currency, stake in figures.stakes.items()}
    return {"rounds": figures.rounds, "stakes": stakes, "unjudged": figures.unjudged}


def scope_parameters(scope: Scope, as_of: datetime) -> dict[str, Any]:
    """The values that sql/queries/shared/stale_rounds.sql wants."""
    return {
        "as_of": as_of,
        "partners": list(scope.partners),
        "max_runs": list(scope.max_runs),
        "other_partners": list(scope.other_partners),
        "open_longer_than": scope.open_longer_than.total_seconds(),
        "idle_longer_than": scope.idle_longer_than.total_seconds() if scope.idle_longer_than else None,
        "markets": list(scope.markets) if scope.markets is not None else None,
        "games": list(scope.games) if scope.games is not None else None,
        "exclude_markets": list(scope.exclude_markets),
        "exclude_games": list(scope.exclude_games),
    }


def insert_values(
    request: RunRequest, as_of: datetime, status: str, halt_reason: str | None = None, figures: PlanTotals | None = None
) -> dict[str, Any]:
    """The parameters of insert_run.sql. `figures`: the totals of a plan that is not written."""
    return {
        "run_id": request.run_id,
        "policy": request.policy,
        "trigger": "on_demand" if request.scheduled_for is None else "schedule",
        "mode": request.mode,
        "scheduled_for": request.scheduled_for,
        "as_of": as_of,
        "requested_by": request.requested_by,
        "reason": request.reason,
        "settings": Jsonb(dict(request.settings)),
        "status": status,
        "halt_reason": halt_reason,
        "unwritten_plan": None if figures is None else Jsonb(as_record(figures)),
    }
