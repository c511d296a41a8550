"""Resumes recorded runs: halted, interrupted or running ones, under the policy that they were planned with."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from retention.core.planning.approval import MAY_START
from retention.core.planning.named_rounds import TARGETED
from retention.core.runs.halt_cause import REPLY_RAILS, HaltCause, cause_of
from retention.errors import UsageError
from retention.runs.approvals import missing_approval, require_approval_as_configured
from retention.runs.plan_rails import tripped_drift, tripped_rails
from retention.runs.start import RunToStart
from retention.runs.stored_policy import stored_policy, stricter_now
from retention.runs.targeted import stricter_rails

if TYPE_CHECKING:
    from uuid import UUID

    from structlog.typing import FilteringBoundLogger

    from retention.core.planning.plan import Plan
    from retention.core.planning.rails import Tripped
    from retention.ledger.run_record import RunRecord
    from retention.runs.approvals import RunApprovals
    from retention.runs.model import RunParts, RunResult
    from retention.runs.planning import Planning
    from retention.runs.start import RunStarter
    from retention.settings.policy import Policy

AWAITING = "awaiting_approval"
"""The status of a run that waits for its approval, or for its start with it."""

ENDED_STATUSES = {"finished", "cancelled"}
"""A run with one of these statuses never starts again."""

_PAST_RAILS = {HaltCause.MAX_ROUNDS, HaltCause.MAX_SURGE, HaltCause.MAX_DRIFT, *REPLY_RAILS}
"""Rails that a person overrides by the run's halt reason, because a later check may find them kept."""


@dataclass(frozen=True, slots=True)
class _StoredRun:
    """A recorded run: its row, its policy at planning time, and a log bound to it."""

    record: RunRecord
    policy: Policy
    log: FilteringBoundLogger

    @property
    def run_id(self) -> UUID:
        return self.record.run_id


class RunResumer:
    """Joins and resumes recorded runs."""

    def __init__(self, parts: RunParts, planning: Planning, starter: RunStarter, approvals: RunApprovals) -> None:
        self._parts = parts
        self._approvals = approvals
        self._ledger = parts.ledger
        self._planning = planning
        self._starter = starter

    async def join(self, run_id: UUID) -> RunResult:
        """Join a running run, or resume an interrupted or paused one. Raises UsageError.

        Only a person may restart a run that halted for another cause: then this returns its result.
        """
        run = await self._load(run_id)
        status = run.record.status
        if status in ENDED_STATUSES or (status in {"halted", "failed"} and not run.record.paused):
            return await self._starter.result(run_id)
        if status == AWAITING and await self._approvals.state(run.record) not in MAY_START:
            return await self._starter.result(run_id)
        self._parts.check_configured(run.policy)
        if await self._halt_if_stricter(run) or self._is_of_no_policy(run):
            return await self._starter.result(run_id)
        return await self._start_or_halt(run, await self._tripped(run))

    async def hold_to_policy(self, run_id: UUID) -> None:
        """Halt a run whose policy has become stricter since its plan: only a person may resume it."""
        run = await self._load(run_id)
        self._parts.check_configured(run.policy)
        await self._halt_if_stricter(run)

    async def resume(self, run_id: UUID, *, override: str | None, by: str) -> RunResult:
        """Resume a halted or interrupted run for the person `by`, or join a running one.

        `override`: the person's reason to override the rails that halted the run. Of a finished run this returns the
        result. Raises UsageError where there is nothing to resume or to override.
        """
        run = await self._load(run_id)
        status = run.record.status
        state = await self._approvals.require_open(run.record)
        if status == AWAITING and state not in MAY_START:
            if override:
                raise UsageError(f"run {run_id} awaits approval: there is no rail to pass")
            return await self._starter.result(run_id)
        if status in ENDED_STATUSES:
            if override:
                raise UsageError(f"run {run_id} is {status}: there is no rail to pass")
            return await self._starter.result(run_id)
        if run.policy.mode == "dry_run":
            raise UsageError(f"run {run_id} is a dry run that failed: there is nothing to go on with")
        if status == "failed" and not (result := await self._starter.result(run_id)).summary.has_unsent:
            return result  # a new run plans the rounds that this one did not send
        self._parts.check_configured(run.policy)
        require_approval_as_configured(run.record, self._parts.policy_now(run.policy.name))
        if changes := self._stricter(run):
            detail = "; ".join(changes)
            run.log.warning("run.policy_stricter", detail=detail, requested_by=by)
            await self._ledger.add_override(run_id, HaltCause.STRICTER.value, detail, by)
        overridden = run.record.overridden_rails
        plan = await self._planning.complete(run.record, run.policy, overridden, override=bool(override))
        tripped = await self._tripped(run)
        if override:
            await self._override(run, tripped, override, by)
            run, tripped = replace(run, record=await self._ledger.require_run(run_id)), []
        recorded = bool(override or changes)  # an override has the person's name already
        return await self._start_or_halt(run, tripped, plan, resumed=True, by=None if recorded else by)

    async def _load(self, run_id: UUID) -> _StoredRun:
        record = await self._ledger.require_run(run_id)
        policy = stored_policy(run_id, record.settings)
        return _StoredRun(record, policy, self._parts.log.bind(run_id=str(run_id), policy=policy.name))

    async def _start_or_halt(
        self,
        run: _StoredRun,
        tripped: list[Tripped],
        plan: Plan | None = None,
        *,
        resumed: bool = False,
        by: str | None = None,
    ) -> RunResult:
        to_start = RunToStart(run.run_id, run.policy, run.log, plan, run.record.overridden_rails)
        if halt := await self._starter.halt_before_start(run.policy, tripped):
            return await self._starter.halt(to_start, halt)
        return await self._starter.start(to_start, resumed=resumed, by=by)

    async def _override(self, run: _StoredRun, tripped: list[Tripped], reason: str, by: str) -> None:
        """Record a person's override of each rail that halts the run. Raises UsageError where no rail does."""
        rails = [rail.rail.value for rail in tripped]
        # A second check may not find these rails again: replies and closings are past, the plan may be smaller now, and
        # other runs have finished since.
        cause = cause_of(run.record.halt_reason)
        if cause is not None and cause in _PAST_RAILS and cause.value not in rails:
            rails.append(cause.value)
        if not rails:
            halted = run.record.halt_reason or run.record.status
            raise UsageError(f"run {run.run_id} is not halted by a rail ({halted}); resume it as it is")
        for rail in rails:
            await self._ledger.add_override(run.run_id, rail, reason, by)
            run.log.warning("run.overridden", rail=rail, requested_by=by, reason=reason)

    async def _tripped(self, run: _StoredRun) -> list[Tripped]:
        """Check the run's plan; return the tripped rails without an override."""
        totals = await self._parts.plans.get_plan_totals(run.run_id)
        overridden = run.record.overridden_rails
        return [
            *await tripped_rails(self._ledger, run.policy, totals, overridden),
            *await tripped_drift(self._ledger, run.policy, run.run_id, overridden),
        ]

    def _stricter(self, run: _StoredRun) -> list[str]:
        stricter = stricter_rails if run.record.trigger == TARGETED else stricter_now
        return stricter(run.record.settings, run.policy, self._parts.policy_now(run.policy.name))

    def _is_of_no_policy(self, run: _StoredRun) -> bool:
        """Whether a run's policy is gone. A person may go on with it; else its row alone would decide."""
        return run.record.trigger != TARGETED and self._parts.policy_now(run.policy.name) is None

    async def _halt_if_stricter(self, run: _StoredRun) -> bool:
        """Halt a run whose policy has become stricter, unless a person resumed it after the same change."""
        # Replicas may reload one after the other: the replica with the stricter policy decides for all.
        changes = "; ".join(self._stricter(run))
        accepted = any((one["rail"], one["text"]) == (HaltCause.STRICTER, changes) for one in run.record.overrides)
        # No person resumes a run without its approval, so an override on its row is no proof of one.
        if missing := missing_approval(run.record, self._parts.policy_now(run.policy.name)):
            changes, accepted = changes or f"the policy requires {missing}", False
        if not changes or accepted:
            return False
        reason = HaltCause.STRICTER.reason(changes)
        if await self._ledger.halt_for_stricter_policy(run.run_id, self._parts.replica, reason):
            run.log.warning("run.halted", halt_reason=reason)
            await self._parts.checkpoints.make()
        return True
