-- Purpose: Reads one run.
-- Locks: none.
-- Returns: its row, or none; `active` while a process works on it.
SELECT
    r.run_id, r.policy, r.trigger, r.mode, r.scheduled_for, r.as_of, r.requested_by, r.reason, r.evidence,
    r.requested_login, r.plan_digest, r.approved_by, r.approved_at, r.approved_login, r.approval_expires_at,
    r.approval_used_at, r.rejected_by, r.rejected_at, r.decision_note, r.settings, r.overrides, r.status,
    r.halt_reason, r.paused, r.started_at, r.finished_at, r.halted_partners, r.ended_by_process AS ended_by,
    r.unwritten_plan AS unwritten,
    -- include shared/last_progress.sql
    AS progressed_at, r.stalled_at, r.heartbeat_until > statement_timestamp() AS active
FROM retention.runs r WHERE r.run_id = %(run_id)s
