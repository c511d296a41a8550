"""Plans of targeted runs: rounds that a person names, each planned or refused with the reason.

Such a plan adopts no doubts and expires no claims of earlier runs: the run calls nothing that was not named. A plan in
which every round is refused leaves no trace in the ledger.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg.types.json import Jsonb

from retention.core.model import State
from retention.core.planning.named_rounds import LedgerRow, RefusedRound, refusal_of
from retention.core.planning.plan import Group, Plan
from retention.ledger import details
from retention.ledger.clocks import HEARTBEAT_S, LedgerClock
from retention.ledger.operator_view import reading_view
from retention.ledger.records import records
from retention.ledger.run_request import run_values

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from retention.core.planning.named_rounds import NamedRound
    from retention.ledger.clocks import Clocks, Correction
    from retention.ledger.database import Database, Transaction
    from retention.ledger.run_request import RunRequest


REFUSALS_AN_ENTRY = 1000
"""Refused rounds in one entry of evidence, which stays small enough to be read at once."""


class NamedRounds:
    """Freezes plans of named rounds. Without `clocks` the database's clock is trusted unchecked."""

    def __init__(self, database: Database, replica: str, clocks: Clocks | None = None) -> None:
        self._database = database
        self._replica = replica
        self.clock = LedgerClock(database, clocks)

    async def create_run(
        self,
        request: RunRequest,
        named: Sequence[NamedRound],
        max_runs: Mapping[str, int],
        twice: Sequence[RefusedRound] = (),
        limit: float | None = None,
        corrected: Callable[[Correction], None] = lambda _: None,
    ) -> Plan:
        """Create a targeted run of the rounds that can be cancelled; without any, nothing is written.

        `max_runs` has each partner's limit. `twice` are refused already; the plan's `refused` begins with them. Raises
        ViewError; ClockError if the database's clock is off by more than `limit` seconds, or jumps meanwhile.
        """
        clock = self.clock.terms(limit, corrected)
        names = {
            "partners": [one.partner for one in named],
            "round_ids": [one.round_id for one in named],
            "max_runs": [max_runs[one.partner] for one in named],
        }
        try:
            async with self._database.transaction() as transaction:
                as_of = await clock.now(transaction)
                await transaction.rows(
                    "runs/insert_run", replica=self._replica, **run_values(request, as_of, "planned")
                )
                plan = await self._freeze(transaction, request, names, as_of, twice)
                await transaction.rows("plans/seal_plan", run_id=request.run_id, replica=self._replica)
                await transaction.rows("plans/mark_planned", run_id=request.run_id, beat=HEARTBEAT_S)
                await clock.now(transaction)
        except _AllRefusedError as error:
            return error.plan
        return plan

    async def _freeze(
        self,
        transaction: Transaction,
        request: RunRequest,
        names: Mapping[str, Any],
        as_of: datetime,
        twice: Sequence[RefusedRound],
    ) -> Plan:
        run_id = request.run_id
        await transaction.rows("plans/ensure_partners", partners=list(dict.fromkeys(names["partners"])))
        by_this_run = {"replica": self._replica, "max_rounds": None, **names}
        with reading_view():
            await transaction.rows(
                "plans/supersede_named_rounds", detail=details.PLANNED_AGAIN.format(run_id), **by_this_run
            )
            groups = await transaction.rows(
                "plans/freeze_named_rounds",
                run_id=run_id,
                dry_run=False,
                dry_run_detail=details.DRY_RUN,
                as_of=as_of,
                **by_this_run,
            )
            rows = await transaction.rows("plans/list_refused_rounds", run_id=run_id, **names)
        refused = (*twice, *map(_refused, rows))
        for first in range(0, len(refused), REFUSALS_AN_ENTRY):
            listed = [
                {"partner": one.partner, "round": one.round_id, "why": one.why}
                for one in refused[first : first + REFUSALS_AN_ENTRY]
            ]
            facts = Jsonb({"by": request.requested_by, "rounds": listed})
            await transaction.rows("plans/record_refusals", run_id=run_id, replica=self._replica, facts=facts)
        plan = Plan(as_of, tuple(records(Group, groups)), refused=refused)
        if not plan.rounds:
            raise _AllRefusedError(plan)
        await transaction.rows("plans/record_plan_size", run_id=run_id, rounds=plan.rounds)
        return plan


class _AllRefusedError(Exception):
    """Rolls a plan without rounds back."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self.plan = plan


def _refused(row: Any) -> RefusedRound:
    found = _ledger_row(row)
    holder = row.run_id if found and found.holds_round and not row.archived else None
    return RefusedRound(row.partner, row.round_id, refusal_of(row.standing, found), holder)


def _ledger_row(row: Any) -> LedgerRow | None:
    """Return the row that decides about a round; an archived one that holds it has cancelled it."""
    if row.archived:
        return LedgerRow(holds_round=True, state=State.CANCELLED, may_have_taken_effect=False)
    if not row.known:
        return None
    return LedgerRow(bool(row.holds_round), row.state or "", bool(row.may_have_taken_effect))
