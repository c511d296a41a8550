"""Plans runs: records the rounds of a run, or the reason why the plan failed.

A plan above `max_rounds` is not written: `runs.unwritten_plan` keeps its totals, and earlier runs keep their doubts
and rounds. `run --resume` then writes the plan with the run's own `as_of`, so an override never adds younger rounds.
A dry run of any size is written, because its rows are its result.

A scheduled run whose view cannot be read is a failed run. One `run.failed` is notified, and the schedule's next time
tries again. A transient database error is retried at once, until `catch_up` has passed.
"""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from retention.core.runs.halt_cause import HaltCause
from retention.core.text import time_text
from retention.errors import ViewError
from retention.ledger.run_request import RunRequest
from retention.runs.model import Planned
from retention.runs.narrowing import CONFIGURED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from structlog.typing import FilteringBoundLogger

    from retention.core.planning.plan import Plan, Scope
    from retention.core.runs.stalled import Stalled
    from retention.ledger.claims import PartnerTerms
    from retention.ledger.clocks import Correction
    from retention.ledger.run_record import RunRecord
    from retention.runs.approvals import RunApprovals
    from retention.runs.model import RequestedBy, RunParts
    from retention.settings.policy import Policy


class Planning:
    """Makes the plans of runs."""

    def __init__(self, parts: RunParts, approvals: RunApprovals) -> None:
        self._parts = parts
        self._approvals = approvals
        self._plans = parts.plans
        self._log = parts.log

    async def plan(
        self,
        policy: Policy,
        scope: Scope,
        terms: Sequence[PartnerTerms],
        requested: RequestedBy,
        configured: Mapping[str, Any],
    ) -> Planned | None:
        """Plan a run; see RunService.plan. `configured`: the configured values that a person replaced for this run."""
        # The run keeps the partners of this moment, even if the configuration has others when it resumes.
        policy = policy.model_copy(update={"partners": scope.partners})
        record = policy.as_record() | ({} if scope.limit is None else {"limit": scope.limit})
        record |= {CONFIGURED: dict(configured)} if configured else {}
        request = RunRequest(
            uuid.uuid4(),
            policy.name,
            policy.mode,
            requested.requested_by,
            requested.reason,
            record,
            requested.scheduled_for,
            policy.max_rounds,
        )
        limit = self._parts.clock_limit(policy.name)
        await self.prepare_ledger(limit)
        try:
            plan = await self._plans.create_run(request, scope, terms, limit, self.log_correction)
        except ViewError as error:
            if requested.scheduled_for is None:
                raise
            reason = str(error)
        else:
            if plan is None:
                return None
            log_stalled(self._log, await self._parts.stalls.end_interrupted_runs())
            elsewhere = await self._parts.stalls.list_overlapping_runs(policy.name, scope, plan.as_of, request.run_id)
            plan = replace(plan, elsewhere=elsewhere)
            self._log_plan(request.run_id, policy, plan)
            return Planned(request.run_id, policy, plan)
        if await self._plans.record_failed_run(request, reason):
            self._log.error("run.failed", run_id=str(request.run_id), policy=policy.name, halt_reason=reason)
            await self._parts.checkpoints.make()
        return None

    async def prepare_ledger(self, limit: float) -> None:
        """Begin the month, correct the ledger's impossible times, mark stalled runs, and end expired approvals.

        Raises ClockError if the database's clock is off by more than `limit` seconds.
        """
        await self._plans.clock.require_time(limit)
        await self._parts.begin_month()
        for correction in await self._plans.clock.correct_ledger_times(limit):
            self.log_correction(correction)
        log_stalled(self._log, await self._parts.stalls.mark_stalled_runs())
        await self._approvals.expire()

    async def complete(
        self, record: RunRecord, policy: Policy, overridden: Sequence[str], *, override: bool
    ) -> Plan | None:
        """Write the plan of a run that max_rounds halted before its plan was written; None where it is written.

        With `override`, or with max_rounds among the `overridden` rails, the plan may have any number of rounds.
        """
        if record.unwritten is None:
            return None
        max_rounds = None if override or HaltCause.MAX_ROUNDS in overridden else policy.max_rounds
        scope, terms = self._parts.scope(policy, record.settings.get("limit"))
        plan = await self._plans.write_plan(
            record.run_id, scope, terms, max_rounds, self._parts.clock_limit(policy.name), self.log_correction
        )
        if plan is not None:
            self._log_plan(record.run_id, policy, plan)
        return plan

    def log_correction(self, correction: Correction) -> None:
        """Log a corrected time."""
        self._log.warning("clock.corrected", **correction.values())

    def _log_plan(self, run_id: uuid.UUID, policy: Policy, plan: Plan) -> None:
        self._parts.counters.found(policy.name, ((group.market or "", group.rounds) for group in plan.groups))
        self._log.info(
            "run.planned",
            run_id=str(run_id),
            policy=policy.name,
            mode=policy.mode,
            rounds=plan.rounds,
            left_out=plan.left_out() or None,
            **_source_values(plan),
        )
        for other in plan.elsewhere:
            self._log.warning(
                "run.rounds_elsewhere",
                run_id=str(run_id),
                policy=policy.name,
                other_run_id=str(other.run_id),
                rounds=other.rounds,
                detail=str(other),
            )


def _source_values(plan: Plan) -> dict[str, Any]:
    """Say for the log where the view was read, if a replica is configured."""
    if plan.source is None:
        return {}
    document = plan.source.document()
    return {"read_on": document["read_on"], "lag_s": document["lag_seconds"]}


def log_stalled(log: FilteringBoundLogger, stalled: Iterable[Stalled]) -> None:
    """Log runs without progress: `run.interrupted` where no process works on them, else `run.stalled`."""
    for run in stalled:
        log.warning(
            "run.interrupted" if run.interrupted else "run.stalled",
            run_id=str(run.run_id),
            policy=run.policy,
            progressed_at=time_text(run.progressed_at),
        )
