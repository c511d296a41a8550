"""A run's record for tests without a database."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from retention.ledger.run_record import RunRecord

AT = datetime(2025, 3, 5, 3, tzinfo=UTC)

RECORD = RunRecord(
    run_id=UUID(int=2),
    policy="nightly",
    trigger="on_demand",
    mode="enforce",
    scheduled_for=None,
    as_of=AT,
    requested_by="ann",
    reason=None,
    evidence=None,
    requested_login="retention_job",
    plan_digest=None,
    approved_by=None,
    approved_at=None,
    approved_login=None,
    approval_expires_at=None,
    approval_used_at=None,
    rejected_by=None,
    rejected_at=None,
    decision_note=None,
    settings={},
    overrides=[],
    status="running",
    halt_reason=None,
    paused=False,
    started_at=AT,
    finished_at=None,
    halted_partners=[],
    ended_by=None,
    unwritten=None,
    progressed_at=AT,
    stalled_at=None,
    active=True,
)
"""A run of policy `nightly` that a process works on."""
