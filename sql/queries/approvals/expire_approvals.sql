-- Purpose: Cancels the runs whose approval was not given, or not used, before it expired. Their rounds are settled as
--     not sent, and the next run plans them.
-- Locks: the runs, those of others are skipped; their unsent rows, until the commit.
-- Returns: a row per cancelled run.
WITH

-- The runs.
expired AS (
    SELECT run_id FROM retention.runs
    WHERE status = 'awaiting_approval' AND approval_expires_at <= statement_timestamp()
    FOR UPDATE SKIP LOCKED
),

-- They are over.
closed AS (
    UPDATE retention.runs r
    SET status = 'cancelled', halt_reason = %(reason)s, finished_at = statement_timestamp(),
        ended_by_process = %(replica)s, notified = false
    FROM expired e
    WHERE r.run_id = e.run_id
    RETURNING r.*
),

-- include shared/ended_with_run.sql

-- For the evidence.
about AS (
    SELECT %(replica)s::text AS replica, 'expired' AS kind, NULL::json AS facts
),

-- include shared/evidence_by_run.sql

SELECT run_id, policy, halt_reason FROM closed
