"""Runs: started, halted before their first call, closed, and read.

A process that is about to join a run respects a halt that came meanwhile (`start_run.sql`): only a person restarts it,
by `run --resume`.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any

from retention.core.model import ReviewWhy, State
from retention.core.planning.rails import SURGE_RUNS
from retention.core.runs.run_ids import unique_digits
from retention.core.runs.summary import Summary
from retention.ledger import details
from retention.ledger.approvals import refused_starts
from retention.ledger.clocks import HEARTBEAT_S, LedgerClock
from retention.ledger.close_rounds import try_close_rounds
from retention.ledger.operator_view import reading_view
from retention.ledger.run_record import ClosedRun, RunRecord, no_such_run

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime, timedelta
    from uuid import UUID

    from retention.core.runs.run_ids import GivenRunId
    from retention.ledger.clocks import Clocks
    from retention.ledger.database import Database

UNSENT_REASONS_SHOWN = 5
"""A summary names at most so many reasons why rounds were not sent, the most frequent first."""

MATCHING_RUNS_SHOWN = 10
"""A shortened id names at most so many runs."""


class Start(enum.Enum):
    """Whether a process started a run, or joined a running one."""

    STARTED = "run.started"
    JOINED = "run.joined"


class RunLedger:
    """The ledger's runs. Without `clocks` the database's clock is trusted unchecked.

    `max_runs` returns each partner's, which decides whether a completed round needs a person.
    """

    def __init__(
        self, database: Database, clocks: Clocks | None = None, max_runs: Callable[[], Mapping[str, int]] = dict
    ) -> None:
        self._database = database
        self._max_runs = max_runs
        self._control = database.control()
        self._durable = database.control().durable()
        self.clock = LedgerClock(database, clocks)

    async def start_run(
        self,
        run_id: UUID,
        deadline: float | None,
        *,
        resumed: bool = False,
        by: str | None = None,
        replica: str | None = None,
        gated: bool = False,
    ) -> Start | None:
        """Start a run or join it, as the process `replica`; None if it has ended. `deadline` in seconds from now.

        `resumed`: a person resumes the run, so one that failed, or was halted for another reason than a pause, starts
        too. `by`: that person, unless an override has recorded the name. `gated`: the run requires an approval, so the
        database reads its plan once more, which may take long. Raises UsageError for a run that
        requires an approval and has none.
        """
        values = {"deadline": deadline, "resumed": resumed, "by": by, "beat": HEARTBEAT_S, "replica": replica}
        with refused_starts(run_id):
            database = self._database.durable() if gated else self._durable
            row = await database.row("runs/start_run", run_id=run_id, **values)
        return None if row is None else Start.JOINED if row.going else Start.STARTED

    async def halt_run(self, run_id: UUID, replica: str, reason: str, *, paused_for: Sequence[str] = ()) -> None:
        """Halt a run before its first call, with `paused_for` until the pauses of these partners end."""
        await self._durable.count(
            "run_control/halt_run", run_id=run_id, replica=replica, reason=reason, paused_partners=list(paused_for)
        )

    async def halt_for_stricter_policy(self, run_id: UUID, replica: str, reason: str) -> bool:
        """Halt a run whose policy has become stricter; returns whether this call halted it."""
        return (
            await self._durable.count(
                "run_control/halt_for_stricter_policy", run_id=run_id, replica=replica, reason=reason
            )
            > 0
        )

    async def try_close_rounds(self) -> str | None:
        """Have the operator's function close no round, and roll back; returns the database's refusal, if any.

        A lock in its way is no refusal.
        """
        return await try_close_rounds(self._control)

    async def close_run(
        self, run_id: UUID, replica: str, reason: str, by: str | None = None, note: str | None = None
    ) -> ClosedRun | None:
        """Cancel a run for good: its unsent rounds stay unsent. Returns None if the ledger has no such run.

        `by` and `note` are those of a person who calls it off.
        """
        values = {"replica": replica, "reason": reason, "by": by, "note": note}
        row = await self._database.durable().row("runs/close_run", run_id=run_id, **values)
        return None if row is None else ClosedRun(**row._asdict())

    async def find_new_server(self, run_id: UUID) -> datetime | None:
        """Return the start of a database server that may lack claims of the run; None where it has them all."""
        row = await self._control.row("runs/find_new_server", run_id=run_id)
        return None if row is None else row.started

    async def add_override(self, run_id: UUID, rail: str, text: str, by: str) -> None:
        """Record who overrides which rail, when and why."""
        await self._database.durable().count("runs/add_override", run_id=run_id, rail=rail, text=text, by=by)

    async def get_run(self, run_id: UUID) -> RunRecord | None:
        """Get a run's record; None if the ledger has no such run."""
        row = await self._control.row("runs/get_run", run_id=run_id)
        return None if row is None else RunRecord(**row._asdict())

    async def require_run(self, run_id: UUID) -> RunRecord:
        """Get a run's record. Raises UsageError if the ledger has no such run."""
        if (record := await self.get_run(run_id)) is None:
            raise no_such_run(run_id)
        return record

    async def find_runs_by_prefix(self, given: GivenRunId) -> list[Any]:
        """Find the runs that a typed id may mean, with policy and time, so that a person can tell them apart."""
        values = {"lowest": given.lowest, "highest": given.highest, "limit": MATCHING_RUNS_SHOWN}
        return await self._control.rows("runs/find_runs_by_prefix", **values)

    async def count_telling_digits(self, run_ids: Sequence[UUID]) -> dict[UUID, int]:
        """Count the first digits that tell each of these runs from all others."""
        rows = await self._database.rows("runs/find_neighbouring_runs", run_ids=[*run_ids])
        return {row.run_id: unique_digits(row.run_id, filter(None, (row.before, row.after))) for row in rows}

    async def list_runs(self, limit: int) -> list[Any]:
        """List the newest runs, newest first, with their counts."""
        return await self._database.rows("runs/list_runs", limit=limit)

    async def list_recent_plan_sizes(self, policy: str) -> list[int]:
        """List the planned rounds of the policy's last SURGE_RUNS finished enforcing runs, newest first."""
        rows = await self._database.rows("runs/list_recent_plan_sizes", policy=policy, limit=SURGE_RUNS)
        return [row.rounds for row in rows]

    async def list_dry_runs(self, policy: str, start: datetime) -> list[UUID]:
        """List the dry runs of a policy since a time, oldest first."""
        return [row.run_id for row in await self._database.rows("runs/list_dry_runs", policy=policy, start=start)]

    async def count_drift(self, run_id: UUID, idle_longer_than: timedelta | None) -> dict[str | None, int]:
        """Count the rounds of an approved run by the reason why they are gone; None: they may still be called.

        Empty for a run that is not approved, or has started since. Raises ViewError.
        """
        idle = None if idle_longer_than is None else idle_longer_than.total_seconds()
        with reading_view():
            rows = await self._database.rows("runs/count_drift", run_id=run_id, idle_longer_than=idle)
        return {row.why: row.rounds for row in rows}

    async def summarize_run(self, run_id: UUID) -> Summary:
        """Summarize the outcomes of a run, ended or not."""
        run = await self.require_run(run_id)
        counts = await self._database.rows("runs/count_run_rounds", run_id=run_id)
        limits = self._max_runs()
        review = await self._database.rows(
            "runs/count_run_review", run_id=run_id, partners=list(limits), max_runs=list(limits.values())
        )
        refunds = await self._database.rows("runs/sum_run_refunds", run_id=run_id)
        unsent = any(row.state == State.NOT_SENT for row in counts) and run.mode == "enforce"
        reasons = (
            await self._database.rows("runs/count_unsent_reasons", run_id=run_id, limit=UNSENT_REASONS_SHOWN)
            if unsent
            else ()
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
            review={ReviewWhy(row.why): row.rounds for row in review},
            refunds={row.currency: row.amount for row in refunds},
            finished_at=run.finished_at,
            ended_by=run.ended_by,
            unwritten=run.unwritten["rounds"] if run.unwritten is not None else 0,
            trigger=run.trigger,
            unsent={details.NO_REASON if row.why is None else row.why: row.rounds for row in reasons},
            paused=run.paused,
            pauses=[row.partner for row in pauses if row.partner is None or row.partner in partners],
            plan_digest=run.plan_digest,
            approval_expires_at=run.approval_expires_at,
            approved_by=run.approved_by,
        )
