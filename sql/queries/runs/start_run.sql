-- Purpose: Starts a planned, approved, halted or interrupted run. A run that another process works on is joined: it
--     keeps its start, its deadline and its halted partners. A run that only a pause has halted keeps all of these but
--     its deadline. A rail's halt stands unless `resumed` is set, for a person's word: `by` is that person, NULL where
--     another statement has recorded the word. A trigger lets no run start that
--     requires an approval and has none: the statement fails with RT002.
-- Locks: the run, until the commit.
-- Returns: whether the run was going; no row where it may not start.
WITH

-- The run, if it may start.
before AS (
    SELECT
        run_id, status = 'running' OR paused AS goes_on,
        status = 'running' AND heartbeat_until > statement_timestamp() AS going,
        status IN ('halted', 'failed') AND %(by)s::text IS NOT NULL AS continued
    FROM retention.runs
    WHERE run_id = %(run_id)s
      AND (status IN ('planned', 'running') OR paused OR (status = 'awaiting_approval' AND approved_at IS NOT NULL)
           OR (%(resumed)s AND status IN ('halted', 'failed')))
    FOR UPDATE
),

-- It runs.
started AS (
    UPDATE retention.runs r
    SET status = 'running', halt_reason = NULL, paused = false, paused_partners = '{}', notified = false,
        ended_by_process = NULL,
        halted_partners = CASE WHEN b.goes_on THEN r.halted_partners ELSE '{}' END,
        recent_replies = CASE WHEN b.goes_on THEN r.recent_replies ELSE '' END,
        recent_replies_tried_before = CASE WHEN b.goes_on THEN r.recent_replies_tried_before ELSE '' END,
        refused_closings = CASE WHEN b.goes_on THEN r.refused_closings ELSE 0 END,
        started_at = coalesce(r.started_at, statement_timestamp()), finished_at = NULL,
        send_until = CASE WHEN b.going THEN r.send_until
                           ELSE coalesce(statement_timestamp() + make_interval(secs => %(deadline)s::float8),
                                         'infinity') END,
        heartbeat_until = statement_timestamp() + make_interval(secs => %(beat)s),
        progressed_at = CASE WHEN b.going THEN r.progressed_at ELSE statement_timestamp() END,
        stalled_at = CASE WHEN b.going THEN r.stalled_at END
    FROM before b
    WHERE r.run_id = b.run_id
    RETURNING r.*, b.going, b.continued
),

-- The run's new hash.
leaves AS (
    SELECT
        'run' AS subject, r.run_id::text AS id,
        -- include shared/run_leaf.sql
        AS hash
    FROM started r
),

-- For the evidence.
about AS (
    SELECT
        s.run_id, %(replica)s::text AS replica, CASE WHEN s.continued THEN 'continued' ELSE 'started' END AS kind,
        CASE WHEN s.continued THEN json_build_object('by', %(by)s::text) END AS facts
    FROM started s
),

-- include shared/evidence_entry.sql

SELECT going FROM started
