"""Plans: the frozen set of rounds of each run, and the doubts that the run adopts from earlier runs.

PostgreSQL's JIT stays off while planning: it cost a second per plan and saved nothing.
"""

from __future__ import annotations

from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar

from psycopg.types.json import Jsonb

from retention.core.planning.plan import DUPLICATED, DuplicatedRound, Group, ListedRound, Plan, sum_stakes
from retention.core.planning.plan_comparison import ComparedGroup, ComparedRound, Word
from retention.core.planning.rails import PlanTotals
from retention.core.sending.backoff import BASE_S
from retention.ledger import details
from retention.ledger.clocks import HEARTBEAT_S, LedgerClock, correct_leases
from retention.ledger.operator_view import reading_view
from retention.ledger.records import record, records
from retention.ledger.run_request import run_values, totals_record

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
    from datetime import datetime
    from uuid import UUID

    from retention.core.planning.plan import Scope
    from retention.ledger.clocks import Clocks, ClockTerms, Correction
    from retention.ledger.database import Database, Transaction
    from retention.ledger.run_request import RunRequest
    from retention.ledger.terms import PartnerTerms

Listed = TypeVar("Listed", ListedRound, ComparedRound)

DOUBLED_ROUNDS_SHOWN = 20
"""A plan names at most so many rounds that the view has more than once."""


class Plans:
    """Previews plans and freezes them as runs. Without `clocks` the database's clock is trusted unchecked.

    `replica`: this process's name, for the evidence.
    """

    def __init__(self, database: Database, clocks: Clocks | None = None, replica: str | None = None) -> None:
        self._database = database
        self._replica = replica
        self._control = database.control()
        self.clock = LedgerClock(database, clocks)

    async def preview_plan(self, scope: Scope, limit: float | None = None) -> Plan:
        """Compute the plan that a run would freeze now; writes nothing.

        Raises ViewError; ClockError if the database's clock is off by more than `limit` seconds.
        """
        as_of = await self.clock.terms(limit).now(self._database)
        async with self._database.transaction() as transaction:  # without JIT, as in `create_run`
            with reading_view():
                rows = await transaction.rows("plans/preview_plan", limit=scope.limit, **scope_parameters(scope, as_of))
                plan = Plan(as_of, tuple(records(Group, rows)))
                if DUPLICATED not in plan.left_out():
                    return plan
                doubled = await transaction.rows(
                    "plans/list_doubled_rounds", limit=DOUBLED_ROUNDS_SHOWN, **scope_parameters(scope, as_of)
                )
        return replace(plan, doubled=tuple(records(DuplicatedRound, doubled)))

    @asynccontextmanager
    async def preview_rounds(self, scope: Scope, as_of: datetime) -> AsyncIterator[AsyncIterator[ListedRound]]:
        """Stream the rounds of such a plan, and the rounds that it leaves out, while the context is open."""
        async with self._database.transaction(snapshot=True) as transaction:
            with reading_view():
                rows = transaction.stream("plans/preview_rounds", limit=scope.limit, **scope_parameters(scope, as_of))
                async with aclosing(rows), aclosing(_each(ListedRound, rows)) as listed:
                    yield listed

    @asynccontextmanager
    async def compare_runs(
        self, run_ids: Sequence[UUID], scope: Scope, as_of: datetime
    ) -> AsyncIterator[tuple[list[ComparedGroup], AsyncIterator[ComparedRound]]]:
        """Compare the rounds of these runs with such a plan, in groups, and one by one while the context is open."""
        values = {"run_ids": list(run_ids), "words": list(Word), "limit": scope.limit, **scope_parameters(scope, as_of)}
        async with self._database.transaction(snapshot=True) as transaction:
            with reading_view():
                groups = records(ComparedGroup, await transaction.rows("plans/sum_compared_rounds", **values))
                rows = transaction.stream("plans/list_compared_rounds", **values)
                async with aclosing(rows), aclosing(_each(ComparedRound, rows)) as listed:
                    yield groups, listed

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
        clock, dry_run = self.clock.terms(limit, corrected), request.mode == "dry_run"
        async with self._database.transaction() as transaction:
            as_of = await clock.now(transaction)
            status = "finished" if dry_run else "planned"
            values = run_values(request, as_of, status)
            made = await transaction.row("runs/insert_run", replica=self._replica, **values)
            if made is None:
                return None
            if dry_run:
                plan = await _freeze_rounds(
                    transaction, request.run_id, self._replica, scope, as_of, None, dry_run=True
                )
            else:
                plan = await freeze_plan(
                    transaction, request.run_id, self._replica, scope, terms, as_of, request.max_rounds, clock
                )
            await transaction.rows("plans/seal_plan", run_id=request.run_id, replica=self._replica)
            await transaction.rows("plans/mark_planned", run_id=request.run_id, beat=HEARTBEAT_S)
            await clock.now(transaction)
        return plan

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
        async with self._database.transaction() as transaction:
            await clock.now(transaction)
            begun = await transaction.row("plans/begin_writing_plan", run_id=run_id)
            if begun is None:
                return None
            plan = await freeze_plan(transaction, run_id, self._replica, scope, terms, begun.as_of, max_rounds, clock)
            await transaction.rows("plans/seal_plan", run_id=run_id, replica=self._replica)
        return plan

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
            above=0,
            up_to=None,
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


async def _each(kind: type[Listed], rows: AsyncIterator[Any]) -> AsyncGenerator[Listed, None]:
    async for row in rows:
        yield record(kind, row)


def scope_parameters(scope: Scope, as_of: datetime) -> dict[str, Any]:
    """The parameters of stale_rounds.sql."""
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
