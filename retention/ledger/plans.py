"""Plans: the frozen set of rounds of each run, and the doubts that the run adopts from earlier runs.

PostgreSQL's JIT stays off while planning: it cost a second per plan and saved nothing.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING

from psycopg.types.json import Jsonb

from retention.core.planning.plan import Group, Plan, sum_stakes
from retention.core.planning.rails import PlanTotals
from retention.core.sending.backoff import BASE_S
from retention.ledger import details
from retention.ledger.clocks import HEARTBEAT_S, correct_leases
from retention.ledger.operator_view import reading_view
from retention.ledger.plan_previews import PlanPreviews
from retention.ledger.records import records
from retention.ledger.run_request import run_values, totals_record
from retention.ledger.scope_parameters import scope_parameters

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from uuid import UUID

    from retention.core.planning.plan import Scope
    from retention.ledger.clocks import Clocks, ClockTerms, Correction
    from retention.ledger.database import Database, Transaction
    from retention.ledger.read_replica import PlanViews, PrimaryReading
    from retention.ledger.run_request import RunRequest
    from retention.ledger.terms import PartnerTerms


class Plans(PlanPreviews):
    """Previews plans and freezes them as runs. Without `clocks` the database's clock is trusted unchecked.

    `replica`: this process's name, for the evidence. `views`: where plans read the operator's view.
    """

    def __init__(
        self,
        database: Database,
        clocks: Clocks | None = None,
        replica: str | None = None,
        views: PlanViews | None = None,
    ) -> None:
        super().__init__(database, clocks, views)
        self._replica = replica
        self._control = database.control()

    async def create_run(
        self,
        request: RunRequest,
        scope: Scope,
        terms: Sequence[PartnerTerms],
        limit: float | None = None,
        corrected: Callable[[Correction], None] = lambda _: None,
    ) -> Plan | None:
        """Create a run with its frozen plan, or nothing; returns None if its scheduled time has a run already.

        The run adopts the doubts of earlier runs within its scope. A dry run is finished at once: its rounds are
        recorded as not sent. Raises ViewError; ClockError if the database's clock is off by more than `limit` seconds,
        or jumps meanwhile: then nothing is written.
        """
        clock = self.clock.terms(limit, corrected)
        return await self._views.attempt(partial(self._create_run, request, scope, terms, clock))

    async def _create_run(
        self,
        request: RunRequest,
        scope: Scope,
        terms: Sequence[PartnerTerms],
        clock: ClockTerms,
        reading: PrimaryReading,
    ) -> Plan | None:
        dry_run = request.mode == "dry_run"
        async with self._database.transaction() as transaction:
            as_of = await clock.now(transaction)
            await reading.begin(transaction, as_of)
            status = "finished" if dry_run else "planned"
            values = run_values(reading.request(request), as_of, status)
            made = await transaction.row("runs/insert_run", replica=self._replica, **values)
            if made is None:
                return None
            seen = await reading.copy(transaction, scope_parameters(scope, as_of))
            if dry_run:
                plan = await _freeze_rounds(seen, request.run_id, self._replica, scope, as_of, None, dry_run=True)
            else:
                plan = await freeze_plan(
                    seen, request.run_id, self._replica, scope, terms, as_of, request.max_rounds, clock
                )
            await transaction.rows("plans/seal_plan", run_id=request.run_id, replica=self._replica)
            await transaction.rows("plans/mark_planned", run_id=request.run_id, beat=HEARTBEAT_S)
            await clock.now(transaction)
        return replace(plan, source=reading.source)

    async def write_plan(
        self,
        run_id: UUID,
        scope: Scope,
        terms: Sequence[PartnerTerms],
        max_rounds: int | None,
        limit: float | None = None,
        corrected: Callable[[Correction], None] = lambda _: None,
    ) -> Plan | None:
        """Write the plan that was too large to be written: rounds that were stale then and are still open.

        Returns None if the plan is written already, or the run has ended. `limit` and errors as in `create_run`.
        """
        clock = self.clock.terms(limit, corrected)
        return await self._views.attempt(partial(self._write_plan, run_id, scope, terms, max_rounds, clock))

    async def _write_plan(
        self,
        run_id: UUID,
        scope: Scope,
        terms: Sequence[PartnerTerms],
        max_rounds: int | None,
        clock: ClockTerms,
        reading: PrimaryReading,
    ) -> Plan | None:
        async with self._database.transaction() as transaction:
            now = await clock.now(transaction)
            begun = await transaction.row("plans/begin_writing_plan", run_id=run_id)
            if begun is None:
                return None
            await reading.begin(transaction, now, begun.view_at)
            seen = await reading.copy(transaction, scope_parameters(scope, begun.as_of))
            plan = await freeze_plan(seen, run_id, self._replica, scope, terms, begun.as_of, max_rounds, clock)
            await transaction.rows("plans/seal_plan", run_id=run_id, replica=self._replica)
        return replace(plan, source=reading.source)

    async def record_failed_run(self, request: RunRequest, reason: str) -> bool:
        """Record a run that could not be planned; returns whether this call recorded it."""
        values = run_values(request, await self.clock.get_time(), "failed", reason, PlanTotals(0))
        return await self._database.row("runs/insert_run", replica=self._replica, **values) is not None

    async def get_plan_totals(self, run_id: UUID) -> PlanTotals:
        """Get the totals of a run's plan, written or not, for the rails."""
        if (unwritten := (await self._control.row("runs/get_run", run_id=run_id)).unwritten) is not None:
            stakes = {currency: Decimal(stake) for currency, stake in unwritten["stakes"].items()}
            return PlanTotals(unwritten["rounds"], stakes, unwritten["unjudged"])
        rows = await self._database.rows("plans/get_plan_totals", run_id=run_id)
        stakes = sum_stakes((row.currency, row.stake) for row in rows)
        return PlanTotals(sum(row.rounds for row in rows), stakes, sum(row.unjudged for row in rows))


async def freeze_plan(
    transaction: Transaction,
    run_id: UUID,
    replica: str | None,
    scope: Scope,
    terms: Sequence[PartnerTerms],
    as_of: datetime,
    max_rounds: int | None,
    clock: ClockTerms,
) -> Plan:
    """Freeze an enforcing run's plan and adopt doubts; above `max_rounds`, earlier runs keep both."""
    limits = scope_parameters(scope, as_of)
    await transaction.rows("plans/ensure_partners", partners=[partner.partner for partner in terms])
    inactive = [row.run_id for row in await transaction.rows("runs/list_inactive_runs", run_id=run_id)]
    for partner in terms:
        for correction in await correct_leases(transaction, clock.limit, inactive, partner):
            clock.corrected(correction)
        await transaction.rows(
            "claims/expire_claims",
            now=clock.trusted_now(),
            partner=partner.partner,
            run_ids=inactive,
            status_probe=partner.status_probe,
            max_attempts=partner.max_attempts,
            back_off=BASE_S,
            detail=details.REPLY_LOST,
            replica=replica,
            but=[],
        )
    if inactive:
        with reading_view():
            values = {"detail": details.PLANNED_AGAIN.format(run_id), "max_rounds": max_rounds, **limits}
            await transaction.rows("plans/supersede_rounds", replica=replica, limit=scope.limit, **values)
    plan = await _freeze_rounds(transaction, run_id, replica, scope, as_of, max_rounds, dry_run=False)
    if max_rounds is not None and plan.rounds > max_rounds:
        await transaction.rows(
            "plans/record_unwritten_plan", run_id=run_id, unwritten_plan=Jsonb(totals_record(plan.totals()))
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


async def _freeze_rounds(
    transaction: Transaction,
    run_id: UUID,
    replica: str | None,
    scope: Scope,
    as_of: datetime,
    max_rounds: int | None,
    *,
    dry_run: bool,
) -> Plan:
    """Write the rounds of a plan, unless they are more than `max_rounds`; returns the plan."""
    with reading_view():
        rows = await transaction.rows(
            "plans/freeze_plan",
            run_id=run_id,
            replica=replica,
            dry_run=dry_run,
            dry_run_detail=details.DRY_RUN,
            limit=scope.limit,
            max_rounds=max_rounds,
            **scope_parameters(scope, as_of),
        )
    plan = Plan(as_of, tuple(records(Group, rows)))
    if max_rounds is None or plan.rounds <= max_rounds:
        await transaction.rows("plans/record_plan_size", run_id=run_id, rounds=plan.rounds)
    return plan
