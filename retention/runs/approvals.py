"""Approvals of runs: a run waits for one before it starts, and persons approve or reject its plan.

The ledger makes each check of this module again, in the statement that it protects. The checks here answer in words for
people; those of the ledger leave no way around.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from retention.core.planning.approval import (
    MAY_START,
    ApprovalState,
    Verdict,
    approval_state,
    decision_refused,
    refusal_text,
)
from retention.core.runs.halt_cause import HaltCause, cause_of
from retention.core.text import time_text
from retention.errors import UsageError
from retention.runs.server_wait import wait_for_server

if TYPE_CHECKING:
    from uuid import UUID

    from structlog.typing import FilteringBoundLogger

    from retention.core.planning.rails import PlanTotals
    from retention.ledger.run_record import RunRecord
    from retention.runs.model import RunParts
    from retention.settings.policy import Policy


@dataclass(frozen=True, slots=True)
class Decision:
    """A decision of a person: the run after it, and the totals of its plan. `not_sent`: rounds of a rejected run."""

    record: RunRecord
    totals: PlanTotals
    not_sent: int = 0


class RunApprovals:
    """Asks for approvals of runs, and takes the decisions of persons."""

    def __init__(self, parts: RunParts) -> None:
        self._parts = parts
        self._ledger = parts.ledger
        self._approvals = parts.approvals

    async def admit(self, run_id: UUID, log: FilteringBoundLogger) -> bool:
        """Whether a run may start now. One that has no approval waits for it from now on, or is over if that expired.

        A run without rounds and doubts needs no person: it is finished.
        """
        state = await self.state(await self._ledger.require_run(run_id))
        if state in MAY_START:
            return True
        if request := await self._approvals.request_approval(run_id):
            if request.status == "finished":
                log.info("run.finished", status=request.status, rounds=0)
            else:
                log.warning(
                    "run.awaiting_approval",
                    plan_digest=request.plan_digest,
                    approval_expires_at=time_text(request.approval_expires_at),
                )
        if state is ApprovalState.EXPIRED:
            await self.expire()
        return False

    async def state(self, record: RunRecord) -> ApprovalState:
        """Tell how far a run's approval is now, by the database's clock."""
        return approval_state(record.approval, await self._ledger.clock.get_time())

    async def require_open(self, record: RunRecord) -> ApprovalState:
        """Tell how far a run's approval is. Raises UsageError where the run was rejected, or its approval expired."""
        state = await self.state(record)
        if state is ApprovalState.REJECTED:
            raise UsageError(refusal_text(Verdict.REJECTED, record.run_id, record.approval))
        if state is ApprovalState.EXPIRED and _ended_by_expiry(record):
            await self._approvals.request_approval(record.run_id)  # one that a rail has halted expires, too
            await self.expire()
            raise UsageError(refusal_text(Verdict.EXPIRED, record.run_id, record.approval))
        return state

    async def expire(self) -> None:
        """Cancel the runs whose approval has expired, and log them."""
        expired = await self._approvals.expire_approvals()
        for run in expired:
            self._parts.log.warning("run.closed", run_id=str(run.run_id), policy=run.policy, reason=run.halt_reason)
        if expired:
            await self._parts.checkpoints.make()

    async def approve(self, run_id: UUID, by: str, digest: str | None, note: str | None) -> Decision:
        """Approve a run for the person `by`. `digest`: the digits of its digest that the person gave, if any.

        Raises UsageError where the approval does not count.
        """
        record = await self._require_decidable(run_id, by, digest)
        # Without digits of the person's own, the plan that was just read is meant, and no later one.
        verdict = await self._approvals.approve_run(run_id, by, digest or record.plan_digest or "", note)
        await self._refuse(run_id, verdict)
        decided = await self._decision(run_id)
        self._parts.log.warning(
            "run.approved",
            run_id=str(run_id),
            policy=record.policy,
            approved_by=by,
            plan_digest=record.plan_digest,
            rounds=decided.totals.rounds,
        )
        return decided

    async def reject(self, run_id: UUID, by: str, digest: str | None, note: str) -> Decision:
        """Reject a run for the person `by`: it is cancelled. Raises UsageError where the rejection does not count."""
        record = await self._require_decidable(run_id, by, digest)
        await wait_for_server(self._parts, run_id)  # the run may have been sent, and its approval be lost
        rejection = await self._approvals.reject_run(run_id, by, digest, note)
        await self._refuse(run_id, rejection.refused)
        self._parts.log.warning("run.rejected", run_id=str(run_id), policy=record.policy, rejected_by=by, reason=note)
        return await self._decision(run_id, rejection.not_sent)

    async def _require_decidable(self, run_id: UUID, by: str, digest: str | None) -> RunRecord:
        """Read a run that the person may decide on. Raises UsageError."""
        await self.expire()
        record = await self._ledger.require_run(run_id)
        now = await self._ledger.clock.get_time()
        await self._refuse(run_id, decision_refused(record.approval, by, digest, now))
        return record

    async def _refuse(self, run_id: UUID, verdict: Verdict | None) -> None:
        """Raise UsageError for a verdict, by the run as it is now."""
        if verdict is not None:
            record = await self._ledger.require_run(run_id)
            if verdict is Verdict.NOT_AWAITING and cause_of(record.halt_reason) is HaltCause.APPROVAL_EXPIRED:
                verdict = Verdict.EXPIRED  # nobody has called the run off
            raise UsageError(refusal_text(verdict, run_id, record.approval))

    async def _decision(self, run_id: UUID, not_sent: int = 0) -> Decision:
        record = await self._ledger.require_run(run_id)
        return Decision(record, await self._parts.plans.get_plan_totals(run_id), not_sent)


def _ended_by_expiry(record: RunRecord) -> bool:
    """Whether an expired approval is, or will be, the end of a run. A person may have called it off before."""
    expired = cause_of(record.halt_reason) is HaltCause.APPROVAL_EXPIRED
    return record.status not in {"finished", "cancelled"} or expired


def missing_approval(record: RunRecord, now: Policy | None) -> str | None:
    """Say which approval the configuration has come to require that the run's own settings do not; None: neither.

    The settings of a run are a row of the ledger: with these alone, a row could go around the configuration.
    """
    if now is None or not now.requires_approval:
        return None
    approval = record.approval
    if not approval.required:
        return "an approval"
    weaker = record.settings.get("approval") != "authenticated" and now.approval == "authenticated"
    # A used approval counts where it is of the kind: the ledger keeps both logins, and the job writes neither.
    kept = approval.used_at is not None and None is not record.approved_login != record.requested_login
    return "this kind of approval" if weaker and not kept else None


def require_approval_as_configured(record: RunRecord, now: Policy | None) -> None:
    """Raise UsageError for a run that misses an approval; see missing_approval."""
    if missing := missing_approval(record, now):
        raise UsageError(
            f"run {record.run_id} was planned before its policy came to require {missing}, so it does not go on; a new "
            f"run plans its rounds anew, and `retention runs close {record.run_id} --by WHO --note TEXT` calls it off"
        )
