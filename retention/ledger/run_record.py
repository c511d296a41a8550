"""The rows of runs that the ledger returns, by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from retention.core.planning.approval import Approval
from retention.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from uuid import UUID


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A run as the ledger records it. Its names are the JSON keys of `runs show`.

    `settings`: the policy that the run was planned under. `overrides`: each with `rail`, `text`, `by` and `at`.
    `unwritten`: the totals of a plan without rows, because a rail halted the run; None once the plan is written.
    `active`: a process sent a heartbeat for the run lately.
    """

    run_id: UUID
    policy: str
    trigger: str
    mode: str
    scheduled_for: datetime | None
    as_of: datetime
    requested_by: str
    reason: str | None
    evidence: str | None
    requested_login: str | None
    plan_digest: str | None
    approved_by: str | None
    approved_at: datetime | None
    approved_login: str | None
    approval_expires_at: datetime | None
    approval_used_at: datetime | None
    rejected_by: str | None
    rejected_at: datetime | None
    decision_note: str | None
    settings: Mapping[str, Any]
    overrides: Sequence[Mapping[str, Any]]
    status: str
    halt_reason: str | None
    paused: bool
    started_at: datetime | None
    finished_at: datetime | None
    halted_partners: Sequence[str]
    ended_by: str | None
    unwritten: Mapping[str, Any] | None
    progressed_at: datetime
    stalled_at: datetime | None
    active: bool

    @property
    def overridden_rails(self) -> list[str]:
        """The rails that people have overridden for this run, oldest first."""
        return [override["rail"] for override in self.overrides]

    @property
    def approval(self) -> Approval:
        """How far the approval of the run is."""
        return Approval(
            required=self.mode == "enforce" and self.settings.get("requires_approval") is True,
            status=self.status,
            requested_by=self.requested_by,
            digest=self.plan_digest,
            expires_at=self.approval_expires_at,
            approved_by=self.approved_by,
            approved_at=self.approved_at,
            used_at=self.approval_used_at,
            rejected_by=self.rejected_by,
            note=self.decision_note,
        )


@dataclass(frozen=True, slots=True)
class ClosedRun:
    """The result of closing a run: `status` before, `done` where this call closed it, and its rounds by state."""

    status: str
    done: bool
    not_sent: int
    in_doubt: int
    claimed: int


def no_such_run(run_id: UUID) -> UsageError:
    """Make the error for an unknown run id."""
    return UsageError(f"there is no run {run_id}; `retention runs list` shows the newest")
