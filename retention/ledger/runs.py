"""Runs: planned, started, looked at."""

from __future__ import annotations

import enum
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from retention.core.model import State
from retention.core.planning.plan import DOUBLED, Doubled, Group, ListedRound, Plan, sum_stakes
from retention.core.planning.rails import PlanTotals
from retention.core.runs.run_ids import digits_needed
from retention.core.runs.summary import Summary
from retention.ledger import details
from retention.ledger.clocks import HEARTBEAT_S, ClockTerms, correct_times
from retention.ledger.close_rounds import refused_closing
from retention.ledger.operator_view import reading_the_view
from retention.ledger.plans import freeze, insert_values, scope_parameters, write
from retention.ledger.run_record import ClosedRun, RunRecord, no_such_run

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from retention.core.planning.plan import Scope
    from retention.core.runs.run_ids import GivenRunId
    from retention.ledger.clocks import Clocks, Correction
    from retention.ledger.database import Database
    from retention.ledger.terms import PartnerTerms


SHOWN_DOUBLED = 20
"""Rounds that the view has more than once, of which a plan names so many at the most."""


SHOWN_REASONS = 5
"""Of the reasons why rounds of a run were not sent, the most frequent ones are told."""

SHOWN_MATCHES = 10
"""Runs that a shortened id may mean, of which so many are named at the most."""

LENIENT = 60.0
"""Seconds by which a time may lie ahead, where nothing else is said."""


class Start(enum.Enum):
    """Whether a run was set going, or was going already."""

    STARTED = "run.started"
    JOINED = "run.joined"


@dataclass(frozen=True, slots=True)
class RunRequest:
    """A run that somebody asks for. `settings` is the policy as it is now, without secrets.

    `scheduled_for` is the time of the policy's schedule that it is for; None where a person asks. A plan of more than
    `max_rounds` is not written, None: any is.
    """

    run_id: UUID
    policy: str
    mode: str
    requested_by: str
    reason: str | None
    settings: Mapping[str, Any]
    scheduled_for: datetime | None = None
    max_rounds: int | None = None


class RunLedger:
    """The ledger's runs. Without `clocks` the database's clock is believed."""

    def __init__(self, database: Database, clocks: Clocks | None = None) -> None:
        self._database = database
        self._prompt = database.prompt()
        self._durable = database.prompt().durable()
        self._clocks = clocks

    async def now(self) -> datetime:
        """The database's time, which decides what is stale."""
        return (await self._database.row("clocks/get_time")).now  # type: ignore[no-any-return]

    async def checked_now(self, limit: float) -> datetime:
        """The database's time. Raises ClockError where it cannot be relied on; `limit` in seconds."""
        return await self._terms(limit).now(self._prompt)

    def _terms(self, limit: float | None, corrected: Callable[[Correction], None] = lambda _: None) -> ClockTerms:
        return ClockTerms(None if limit is None else self._clocks, limit or LENIENT, corrected)

    async def correct_times(self, limit: float) -> list[Correction]:
        """Take back times of schedules, runs and deliveries that lie impossibly far ahead."""
        return await correct_times(self._prompt, limit)

    async def vendor_pauses(self, partners: Sequence[str] | None) -> dict[str, datetime]:
        """Until when vendors want which of these partners (None: of all) to be left alone."""
        names = None if partners is None else list(partners)
        return {row.partner: row.until for row in await self._prompt.rows("pauses/list_vendor_pauses", partners=names)}

    async def plan(self, scope: Scope, limit: float | None = None) -> Plan:
        """What a run would plan now; writes nothing. `limit` as `create` has it. Raises ViewError, ClockError."""
        as_of = await self._terms(limit).now(self._database)
        async with self._database.transaction() as transaction:  # it compiles no plans, as `create` does not
            with reading_the_view():
                rows = await transaction.rows("plans/preview_plan", limit=scope.limit, **scope_parameters(scope, as_of))
                plan = Plan(as_of, tuple(Group(*row) for row in rows))
                if DOUBLED not in plan.left_out():
                    return plan
                doubled = await transaction.rows(
                    "plans/list_doubled_rounds", limit=SHOWN_DOUBLED, **scope_parameters(scope, as_of)
                )
        return replace(plan, doubled=tuple(Doubled(*row) for row in doubled))

    @asynccontextmanager
    async def plan_rounds(self, scope: Scope, as_of: datetime) -> AsyncIterator[AsyncIterator[ListedRound]]:
        """Open the rounds of such a plan, and what it leaves out; they can be read while it is open."""
        async with self._database.transaction(snapshot=True) as transaction:
            with reading_the_view():
                rows = transaction.stream("plans/preview_rounds", limit=scope.limit, **scope_parameters(scope, as_of))
                async with aclosing(rows), aclosing(_listed(rows)) as listed:
                    yield listed

    async def create(
        self,
        request: RunRequest,
        scope: Scope,
        terms: Sequence[PartnerTerms],
        limit: float | None = None,
        corrected: Callable[[Correction], None] = lambda _: None,
    ) -> Plan | None:
        """Freeze a run's plan, all of it or nothing; None where its scheduled time has a run already.

        Earlier runs' doubts within its scope become this run's to settle. A dry run is finished with that: its rounds
        stand in the ledger as not sent. Raises ViewError; ClockError where the database's clock is off by more than
        `limit` seconds, or jumps meanwhile: then nothing is written.
        """
        clock, dry_run = self._terms(limit, corrected), request.mode == "dry_run"
        async with self._database.transaction() as transaction:
            as_of = await clock.now(transaction)
            status = "finished" if dry_run else "planned"
            made = await transaction.row("runs/insert_run", **insert_values(request, as_of, status))
            if made is None:
                return None
            if dry_run:
                plan = await write(transaction, request.run_id, scope, as_of, None, dry_run=True)
            else:
                plan = await freeze(transaction, request.run_id, scope, terms, as_of, request.max_rounds, clock)
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
        """Write the plan of a run that has none yet, of the rounds that were stale when it was made and are open still.

        None where its plan is written, or the run is over. `limit` as `create` has it. Raises ViewError, ClockError.
        """
        clock = self._terms(limit, corrected)
        async with self._database.transaction() as transaction:
            await clock.now(transaction)
            begun = await transaction.row("plans/begin_writing_plan", run_id=run_id)
            if begun is None:
                return None
            return await freeze(transaction, run_id, scope, terms, begun.as_of, max_rounds, clock)

    async def record_failure(self, request: RunRequest, reason: str) -> bool:
        """Put a run on record that could not be planned; whether this call did it."""
        values = insert_values(request, await self.now(), "failed", reason, PlanTotals(0))
        return await self._database.row("runs/insert_run", **values) is not None

    async def figures(self, run_id: UUID) -> PlanTotals:
        """What a plan holds, or came to where it is not written: for the rails."""
        if (unwritten := (await self.require(run_id)).unwritten_plan) is not None:
            stakes = {currency: Decimal(stake) for currency, stake in unwritten["stakes"].items()}
            return PlanTotals(unwritten["rounds"], stakes, unwritten["unjudged"])
        rows = await self._database.rows("plans/get_plan_totals", run_id=run_id)
        stakes = sum_stakes((row.currency, row.stake) for row in rows)
        return PlanTotals(sum(row.rounds for row in rows), stakes, sum(row.unjudged for row in rows))

    async def start(self, run_id: UUID, deadline: float | None, *, again: bool = False) -> Start | None:
        """Set a run going, or join it; None where it is over. `deadline` in seconds from now.

        `again`: even one that was halted for another reason than a pause, or failed.
        """
        row = await self._durable.row("runs/start_run", run_id=run_id, deadline=deadline, again=again, beat=HEARTBEAT_S)
        return None if row is None else Start.JOINED if row.going else Start.STARTED

    async def halt(self, run_id: UUID, replica: str, reason: str, *, paused_for: Sequence[str] = ()) -> None:
        """Stop a run before its first call, by the kill switch where it is `paused_for` partners."""
        await self._durable.count(
            "run_control/halt_run", run_id=run_id, replica=replica, reason=reason, paused_partners=list(paused_for)
        )

    async def halt_stricter(self, run_id: UUID, replica: str, reason: str) -> bool:
        """Stop a run whose policy has become stricter; whether this call did it."""
        return (
            await self._durable.count(
                "run_control/halt_for_stricter_policy", run_id=run_id, replica=replica, reason=reason
            )
            > 0
        )

    async def refused_closing(self) -> str | None:
        """Have the operator's function close no round at all, and undo it; what the database says against that.

        A lock in its way is no refusal.
        """
        return await refused_closing(self._prompt)

    async def close(self, run_id: UUID, replica: str, reason: str) -> ClosedRun | None:
        """Cancel a run for good: its unsent rounds stay unsent. None where there is no such run."""
        row = await self._database.durable().row("runs/close_run", run_id=run_id, replica=replica, reason=reason)
        return None if row is None else ClosedRun(**row._asdict())

    async def override(self, run_id: UUID, rail: str, text: str, by: str) -> None:
        """Record who passed which rail, when, and with what words."""
        await self._database.durable().count("runs/add_override", run_id=run_id, rail=rail, text=text, by=by)

    async def get(self, run_id: UUID) -> RunRecord | None:
        """Read a run's record; None where there is no such run."""
        row = await self._prompt.row("runs/get_run", run_id=run_id)
        return None if row is None else RunRecord(**row._asdict())

    async def require(self, run_id: UUID) -> RunRecord:
        """Read a run's record. Raises UsageError where there is no such run."""
        if (record := await self.get(run_id)) is None:
            raise no_such_run(run_id)
        return record

    async def matching(self, given: GivenRunId) -> list[Any]:
        """The runs that a typed id may mean: whose they are, and from when, so that a person can tell them apart."""
        values = {"lowest": given.lowest, "highest": given.highest, "limit": SHOWN_MATCHES}
        return await self._prompt.rows("runs/find_runs_by_prefix", **values)

    async def digits(self, run_ids: Sequence[UUID]) -> dict[UUID, int]:
        """How many of their first digits tell these runs from all others."""
        rows = await self._database.rows("runs/find_neighbouring_runs", run_ids=[*run_ids])
        return {row.run_id: digits_needed(row.run_id, filter(None, (row.before, row.after))) for row in rows}

    async def list(self, limit: int) -> list[Any]:
        """The newest runs, newest first, with their counts."""
        return await self._database.rows("runs/list_runs", limit=limit)

    async def summary(self, run_id: UUID) -> Summary:
        """What a run came to, or has come to so far."""
        run = await self.require(run_id)
        counts = await self._database.rows("runs/count_run_rounds", run_id=run_id)
        refunds = await self._database.rows("runs/sum_run_refunds", run_id=run_id)
        unsent = any(row.state == State.NOT_SENT for row in counts) and run.mode == "enforce"
        reasons = (
            await self._database.rows("runs/count_unsent_reasons", run_id=run_id, limit=SHOWN_REASONS) if unsent else ()
        )
        pauses = await self._database.rows("pauses/list_pauses") if run.paused else ()
        partners = run.settings.get("partners") or ()
        return Summary(
            run.run_id,
            run.policy,
            run.mode,
            run.status,
            run.halt_reason,
            states={State(row.state): row.rounds for row in counts if not row.adopted},
            taken_up={State(row.state): row.rounds for row in counts if row.adopted},
            conflicts=sum(row.conflicts for row in counts),
            incomplete=sum(row.incomplete for row in counts),
            discrepancies=sum(row.discrepancies for row in counts),
            to_review=sum(row.to_review for row in counts),
            refunds={row.currency: row.amount for row in refunds},
            finished_at=run.finished_at,
            ended_by=run.ended_by,
            unwritten=run.unwritten_plan["rounds"] if run.unwritten_plan is not None else 0,
            trigger=run.trigger,
            unsent={details.NO_REASON if row.why is None else row.why: row.rounds for row in reasons},
            paused=run.paused,
            pauses=[row.partner for row in pauses if row.partner is None or row.partner in partners],
        )


async def _listed(rows: AsyncIterator[Any]) -> AsyncGenerator[ListedRound, None]:
    async for row in rows:
        yield ListedRound(*row)
