"""The service for runs: plan, execute, join, resume, close.

A dry run leaves its rounds in the ledger as `not_sent`: a week of dry runs can be compared with the week after it.
These rows block no later run.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from retention.ledger.schedules import REQUESTED_BY
from retention.runs.approvals import RunApprovals
from retention.runs.close import close_run, close_unconfirmed
from retention.runs.model import RequestedBy
from retention.runs.narrowing import replaced_values
from retention.runs.plan_rails import tripped_rails
from retention.runs.planning import Planning
from retention.runs.resume import RunResumer
from retention.runs.start import RunStarter, RunToStart
from retention.runs.targeted import plan_named

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from retention.core.planning.plan import Scope
    from retention.ledger.claims import PartnerTerms
    from retention.ledger.run_record import ClosedRun
    from retention.runs.approvals import Decision
    from retention.runs.model import Confirm, Planned, RunParts, RunResult
    from retention.runs.targeted import Demand
    from retention.settings.policy import Policy


class RunService:
    """Makes runs with the collaborators of this process."""

    def __init__(self, parts: RunParts) -> None:
        self._parts = parts
        self._approvals = RunApprovals(parts)
        self._planning = Planning(parts, self._approvals)
        self._starter = RunStarter(parts, self._approvals)
        self._resumer = RunResumer(parts, self._planning, self._starter, self._approvals)

    async def plan(
        self, policy: Policy, scope: Scope, terms: Sequence[PartnerTerms], request: RequestedBy
    ) -> Planned | None:
        """Plan a run of the policy. None where its scheduled time has a run already, or the plan cannot be made.

        Where the operator's view cannot be read, a scheduled run is recorded as failed, so that people are notified
        once. For a person's request this raises ViewError. Raises ClockError.
        """
        configured = self._parts.policy_now(policy.name) if request.scheduled_for is None else None
        return await self._planning.plan(policy, scope, terms, request, replaced_values(policy, configured))

    async def plan_scheduled(self, policy: Policy, scheduled_for: datetime) -> Planned | None:
        """Plan the run of a scheduled time of the policy; None as `plan` returns it. Raises ClockError."""
        scope, terms = self._parts.scope(policy, None)
        return await self.plan(policy, scope, terms, RequestedBy(REQUESTED_BY, scheduled_for=scheduled_for))

    async def plan_named(self, demand: Demand) -> Planned:
        """Plan a targeted run of the rounds that a person names; see targeted.plan_named."""
        return await plan_named(self._parts, self._planning, demand)

    async def execute(self, planned: Planned, confirm: Confirm | None = None) -> RunResult:
        """Execute a planned run within its rails.

        `confirm` asks a person first; without a yes the run is closed, and the next run plans its rounds.
        """
        run_id, policy, plan = planned.run_id, planned.policy, planned.plan
        log = self._parts.log.bind(run_id=str(run_id), policy=policy.name)
        run = RunToStart(run_id, policy, log, plan)
        tripped = await tripped_rails(self._parts.ledger, policy, plan.totals())
        if policy.mode == "dry_run":
            warnings = tuple(f"an enforcing run would halt: {rail}" for rail in tripped)
            return self._starter.log_result(log, await self._starter.result(run_id, plan=plan, warnings=warnings))
        if halt := await self._starter.halt_before_start(policy, tripped):
            return await self._starter.halt(run, halt)
        # A run that requires an approval sends nothing yet: another person decides about its plan.
        if confirm is not None and not policy.requires_approval and not await self._is_confirmed(planned, confirm):
            return await close_unconfirmed(self._parts, run_id, log, plan)
        return await self._starter.start(run)

    async def join(self, run_id: UUID) -> RunResult:
        """Join a running run, or resume an interrupted or paused one; see RunResumer.join."""
        return await self._resumer.join(run_id)

    async def hold_to_policy(self, run_id: UUID) -> None:
        """Halt a run whose policy has become stricter since its plan; see RunResumer.hold_to_policy."""
        await self._resumer.hold_to_policy(run_id)

    async def resume(self, run_id: UUID, *, override: str | None, by: str) -> RunResult:
        """Resume a halted or interrupted run for the person `by`; see RunResumer.resume."""
        return await self._resumer.resume(run_id, override=override, by=by)

    async def approve(self, run_id: UUID, by: str, digest: str | None, note: str | None) -> Decision:
        """Approve the plan of a waiting run; see RunApprovals.approve."""
        return await self._approvals.approve(run_id, by, digest, note)

    async def reject(self, run_id: UUID, by: str, digest: str | None, note: str) -> Decision:
        """Reject the plan of a waiting run; see RunApprovals.reject."""
        return await self._approvals.reject(run_id, by, digest, note)

    async def expire_approvals(self) -> None:
        """Cancel the runs whose approval has expired; see RunApprovals.expire."""
        await self._approvals.expire()

    async def close(self, run_id: UUID, by: str, note: str) -> ClosedRun:
        """Close a run for good; see close_run."""
        return await close_run(self._parts, run_id, by, note)

    async def _is_confirmed(self, planned: Planned, confirm: Confirm) -> bool:
        """Ask a person to confirm the plan; a signal means no. A run without rounds and doubts needs no question."""
        doubts = sum((await self._parts.ledger.summarize_run(planned.run_id)).taken_up.values())
        if not planned.plan.rounds and not doubts:
            return True
        try:
            return await confirm(planned, doubts)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if self._parts.signal_code() is None or task is None:
                raise
            task.uncancel()
            return False
