-- Purpose: Ends a running run in which nothing is left to do. Rows of halted and paused partners stay as they are; with
--     paused partners the run is halted until their pauses end.
-- Locks: the run, until the commit: the first process ends it.
-- Returns: its id, or no row.
WITH

-- The run.
ended AS (
    UPDATE retention.runs r
    SET status = %(status)s, halt_reason = %(reason)s, ended_by_process = %(replica)s, notified = false,
        paused = %(paused_partners)s::text[] <> '{}', paused_partners = %(paused_partners)s,
        finished_at = CASE WHEN %(status)s <> 'halted' THEN statement_timestamp() END
    WHERE r.run_id = %(run_id)s AND r.status = 'running'
      AND NOT EXISTS (
          SELECT FROM retention.run_totals t
          WHERE t.worked_by = r.run_id
            AND (t.state = 'claimed' OR (t.partner <> ALL (r.halted_partners || %(paused_partners)s::text[])
                 AND (t.state IN ('planned', 'retrying') OR t.aspect = 'due')))
          HAVING sum(t.rounds) > 0)
    RETURNING r.*
),

-- Its new hash.
leaves AS (
    SELECT
        'run' AS subject, r.run_id::text AS id,
        -- include shared/run_leaf.sql
        AS hash
    FROM ended r
),

-- For the evidence.
about AS (
    SELECT
        %(run_id)s::uuid AS run_id, %(replica)s::text AS replica, %(status)s::text AS kind,
        NULL::json AS facts
),

-- include shared/evidence_entry.sql

SELECT run_id FROM ended
