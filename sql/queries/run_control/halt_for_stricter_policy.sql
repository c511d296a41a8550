-- Purpose: Halts a run whose policy has become stricter, for all replicas. A paused run no longer goes on by itself.
-- Locks: the run, until the commit.
-- Returns: the run's id; no row where it was halted for another reason before.
WITH

-- The run.
halted AS (
    UPDATE retention.runs
    SET status = 'halted', halt_reason = %(reason)s, paused = false, paused_partners = '{}', notified = false,
        ended_by_process = %(replica)s
    WHERE run_id = %(run_id)s AND (status IN ('planned', 'running', 'awaiting_approval') OR paused)
    RETURNING *
),

-- include shared/halted_run.sql
