-- Purpose: Halts a run for all replicas. With `paused_partners` it goes on by itself once their pauses end.
-- Locks: the run, until the commit.
-- Returns: the run's id; no row where it was halted before, since only the first reason counts.
WITH

-- The run.
halted AS (
    UPDATE retention.runs
    SET status = 'halted', halt_reason = %(reason)s, paused = %(paused_partners)s::text[] <> '{}',
        paused_partners = %(paused_partners)s, notified = false, ended_by_process = %(replica)s
    WHERE run_id = %(run_id)s AND status IN ('planned', 'running', 'awaiting_approval')
    RETURNING *
),

-- include shared/halted_run.sql
