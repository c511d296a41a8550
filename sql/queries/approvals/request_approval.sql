-- Purpose: Lets a run whose settings require approval wait for it: a planned one, or one that a rail or a pause halted
--     before it had used an approval. A run without rounds and doubts has nothing to approve, and is finished.
-- Locks: the run, until the commit.
-- Returns: its status, its digest, and when the request expires; no row where it waits already, or may not wait.
WITH

-- Whether the run has anything to do.
work AS (
    SELECT EXISTS (
        SELECT FROM retention.cancellations c
        WHERE c.run_id = %(run_id)s OR c.adopted_by_run = %(run_id)s) AS any_rounds
),

-- The run.
waiting AS (
    UPDATE retention.runs
    SET status = CASE WHEN w.any_rounds THEN 'awaiting_approval' ELSE 'finished' END,
        started_at = CASE WHEN w.any_rounds THEN started_at ELSE statement_timestamp() END,
        finished_at = CASE WHEN w.any_rounds THEN NULL ELSE statement_timestamp() END,
        ended_by_process = CASE WHEN w.any_rounds THEN NULL ELSE %(replica)s END,
        halt_reason = NULL, paused = false, paused_partners = '{}', notified = false
    FROM work w
    WHERE run_id = %(run_id)s AND status IN ('planned', 'halted', 'failed') AND mode = 'enforce'
      AND settings -> 'requires_approval' = 'true' AND plan_digest IS NOT NULL
      AND approval_used_at IS NULL AND rejected_at IS NULL
    RETURNING runs.*
),

-- Its new hash.
leaves AS (
    SELECT
        'run' AS subject, r.run_id::text AS id,
        -- include shared/run_leaf.sql
        AS hash
    FROM waiting r
),

-- For the evidence.
about AS (
    SELECT
        %(run_id)s::uuid AS run_id, %(replica)s::text AS replica,
        CASE WHEN (SELECT any_rounds FROM work) THEN 'approval_requested' ELSE 'finished' END AS kind,
        NULL::json AS facts
),

-- include shared/evidence_entry.sql

SELECT status, plan_digest, approval_expires_at FROM waiting
