-- Purpose: Marks runs without progress as stalled (`run_id` NULL: all of them), so that a notification is sent. A
--     stalled run without a process has failed: a person resumes it, or a later run plans its rounds again. Scheduled
--     and approved runs without a process are left to the daemons, which resume them, unless `scheduled` is set.
-- Locks: the stalled runs, those of others are skipped.
-- Returns: a row per run whose stall is new.
WITH

-- The runs, and which of them have no process.
still AS (
    SELECT
        r.run_id,
        -- include shared/last_progress.sql
        AS progressed_at,
        r.heartbeat_until < statement_timestamp()
            AND (%(scheduled)s OR (r.trigger <> 'schedule' AND r.approved_at IS NULL)) AS interrupted
    FROM retention.runs r
    WHERE r.status IN ('planned', 'running') AND (%(run_id)s::uuid IS NULL OR r.run_id = %(run_id)s)
      AND
          -- include shared/stalled_run.sql
    FOR NO KEY UPDATE OF r SKIP LOCKED
),

-- They are marked.
marked AS (
    UPDATE retention.runs r
    SET stalled_at = coalesce(r.stalled_at, statement_timestamp()), notified = false,
        status = CASE WHEN s.interrupted THEN 'failed' ELSE r.status END,
        halt_reason = CASE WHEN s.interrupted THEN %(reason)s ELSE r.halt_reason END,
        finished_at = CASE WHEN s.interrupted THEN statement_timestamp() ELSE r.finished_at END,
        ended_by_process = CASE WHEN s.interrupted THEN %(replica)s ELSE r.ended_by_process END
    FROM still s
    WHERE r.run_id = s.run_id AND (s.interrupted OR r.stalled_at IS NULL)
    RETURNING r.*, s.progressed_at AS last_progress, s.interrupted
),

-- The new hashes of the runs that have failed.
leaves_by_run AS (
    SELECT
        r.run_id, 'run' AS subject, r.run_id::text AS id,
        -- include shared/run_leaf.sql
        AS hash
    FROM marked r WHERE r.interrupted
),

-- For the evidence.
about AS (
    SELECT %(replica)s::text AS replica, 'failed' AS kind, NULL::json AS facts
),

-- include shared/evidence_by_run.sql

SELECT run_id, policy, last_progress AS progressed_at, interrupted FROM marked
