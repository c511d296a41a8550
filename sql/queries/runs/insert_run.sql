-- Purpose: Makes a run. A scheduled time runs once: where it has a run, none is made.
-- Locks: the policy's scheduled time, until the commit.
-- Returns: the run's id, or no row.
INSERT INTO retention.runs
    (run_id, policy, trigger, mode, scheduled_for, as_of, requested_by, reason, settings, status, halt_reason,
     started_at, finished_at, deadline_at, unwritten_plan)
VALUES (
    %(run_id)s, %(policy)s, %(trigger)s, %(mode)s, %(scheduled_for)s, %(as_of)s, %(requested_by)s, %(reason)s,
    %(settings)s, %(status)s, %(halt_reason)s,
    CASE WHEN %(status)s IN ('running', 'finished') THEN %(as_of)s::timestamptz END,
    CASE WHEN %(status)s IN ('finished', 'failed') THEN %(as_of)s::timestamptz END,
    'infinity', %(unwritten_plan)s)
ON CONFLICT (policy, scheduled_for) DO NOTHING
RETURNING run_id
