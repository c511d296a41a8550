-- Purpose: Ends as failed the runs that no process works on and that have nothing left to do: another run has planned
--     their rounds again, and adopted their doubts.
-- Locks: the ended runs, until the commit.
-- Returns: a row per ended run.
WITH

-- The runs.
ended AS (
    UPDATE retention.runs r
    SET status = 'failed', halt_reason = %(reason)s, finished_at = statement_timestamp(),
        ended_by_process = %(replica)s, notified = false
    WHERE r.status IN ('planned', 'running')
      AND r.heartbeat_until < statement_timestamp()
      AND NOT EXISTS (
          SELECT FROM retention.run_totals t
          WHERE t.worked_by = r.run_id
            AND (t.state IN ('planned', 'claimed', 'retrying') OR (t.state = 'in_doubt' AND t.run_id <> r.run_id))
          HAVING sum(t.rounds) > 0)
    RETURNING r.*
),

-- Their new hashes.
leaves_by_run AS (
    SELECT
        r.run_id, 'run' AS subject, r.run_id::text AS id,
        -- include shared/run_leaf.sql
        AS hash
    FROM ended r
),

-- For the evidence.
about AS (
    SELECT %(replica)s::text AS replica, 'failed' AS kind, NULL::json AS facts
),

-- include shared/evidence_by_run.sql

SELECT
    r.run_id, r.policy,
    -- include shared/last_progress.sql
    AS progressed_at, true AS interrupted
FROM ended r
