"""Plans that are shown and not written: of now, and beside the rounds of earlier runs."""

from __future__ import annotations

from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from retention.core.planning.plan import DUPLICATED, DuplicatedRound, Group, ListedRound, Plan
from retention.core.planning.plan_comparison import ComparedGroup, ComparedRound, Word
from retention.ledger.clocks import LedgerClock
from retention.ledger.operator_view import reading_view
from retention.ledger.read_replica import PlanViews
from retention.ledger.records import record, records
from retention.ledger.scope_parameters import scope_parameters

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Sequence
    from datetime import datetime
    from uuid import UUID

    from retention.core.planning.plan import Scope
    from retention.ledger.clocks import Clocks
    from retention.ledger.database import Database, Transaction
    from retention.ledger.read_replica import PrimaryReading

Listed = TypeVar("Listed", ListedRound, ComparedRound)

DOUBLED_ROUNDS_SHOWN = 20
"""A plan names at most so many rounds that the view has more than once."""


class PlanPreviews:
    """Previews plans. Without `clocks` the database's clock is trusted unchecked.

    `views`: where plans read the operator's view.
    """

    def __init__(self, database: Database, clocks: Clocks | None = None, views: PlanViews | None = None) -> None:
        self._database = database
        self._views = views or PlanViews()
        self.clock = LedgerClock(database, clocks)

    async def preview_plan(self, scope: Scope, limit: float | None = None) -> Plan:
        """Compute the plan that a run would freeze now; writes nothing.

        Raises ViewError; ClockError if the database's clock is off by more than `limit` seconds.
        """
        return await self._views.attempt(partial(self._preview_plan, scope, limit))

    async def _preview_plan(self, scope: Scope, limit: float | None, reading: PrimaryReading) -> Plan:
        as_of = await self.clock.terms(limit).now(self._database)
        limits = scope_parameters(scope, as_of)
        async with self._database.transaction() as transaction:  # without JIT, as in `create_run`
            await reading.begin(transaction, as_of)
            seen = await reading.copy(transaction, limits)
            with reading_view():
                rows = await seen.rows("plans/preview_plan", limit=scope.limit, **limits)
                plan = Plan(as_of, tuple(records(Group, rows)), source=reading.source)
                if DUPLICATED not in plan.left_out():
                    return plan
                doubled = await seen.rows("plans/list_doubled_rounds", limit=DOUBLED_ROUNDS_SHOWN, **limits)
        return replace(plan, doubled=tuple(records(DuplicatedRound, doubled)))

    @asynccontextmanager
    async def preview_rounds(self, scope: Scope, as_of: datetime) -> AsyncIterator[AsyncIterator[ListedRound]]:
        """Stream the rounds of such a plan, and the rounds that it leaves out, while the context is open."""
        limits = scope_parameters(scope, as_of)
        async with AsyncExitStack() as stack:
            seen = await self._views.attempt(partial(self._open_view, stack, as_of, limits))
            with reading_view():
                rows = seen.stream("plans/preview_rounds", limit=scope.limit, **limits)
                async with aclosing(rows), aclosing(_each(ListedRound, rows)) as listed:
                    yield listed

    async def _open_view(
        self, stack: AsyncExitStack, as_of: datetime, limits: dict[str, Any], reading: PrimaryReading
    ) -> Transaction:
        """Begin a transaction that reads the view, and that `stack` ends."""
        async with AsyncExitStack() as opened:
            transaction = await opened.enter_async_context(self._database.transaction(snapshot=not reading.copies))
            await reading.begin(transaction, as_of)
            seen = await reading.copy(transaction, limits)
            await stack.enter_async_context(opened.pop_all())
            return seen

    @asynccontextmanager
    async def compare_runs(
        self, run_ids: Sequence[UUID], scope: Scope, as_of: datetime
    ) -> AsyncIterator[tuple[list[ComparedGroup], AsyncIterator[ComparedRound]]]:
        """Compare the rounds of these runs with such a plan, in groups, and one by one while the context is open.

        Read on the primary: each round's fate is told by the view and the ledger of one moment.
        """
        values = {"run_ids": list(run_ids), "words": list(Word), "limit": scope.limit, **scope_parameters(scope, as_of)}
        async with self._database.transaction(snapshot=True) as transaction:
            with reading_view():
                groups = records(ComparedGroup, await transaction.rows("plans/sum_compared_rounds", **values))
                rows = transaction.stream("plans/list_compared_rounds", **values)
                async with aclosing(rows), aclosing(_each(ComparedRound, rows)) as listed:
                    yield groups, listed


async def _each(kind: type[Listed], rows: AsyncIterator[Any]) -> AsyncGenerator[Listed, None]:
    async for row in rows:
        yield record(kind, row)
