-- Purpose: Cancels a run for good. Its unsent rounds are settled as not sent, its doubts stay. The process that holds a
--     claim settles it.
-- Locks: the run and its unsent rows, until the commit.
-- Returns: the status before, whether this call cancelled the run, and counts of its rounds; no row without the run.
WITH

-- The run with its status.
before AS (
    SELECT run_id, status FROM retention.runs WHERE run_id = %(run_id)s FOR UPDATE
),

-- A finished or cancelled run stays as it is.
closed AS (
    UPDATE retention.runs r
    SET status = 'cancelled', halt_reason = %(reason)s, finished_at = statement_timestamp(),
        ended_by_process = %(replica)s, paused = false, paused_partners = '{}', notified = false
    FROM before b
    WHERE r.run_id = b.run_id AND b.status NOT IN ('finished', 'cancelled')
    RETURNING r.*
),

-- include shared/ended_with_run.sql

-- For the evidence.
about AS (
    SELECT
        %(replica)s::text AS replica, 'called_off' AS kind,
        json_build_object('by', %(by)s::text, 'note', %(note)s::text) AS facts
),

-- include shared/evidence_by_run.sql

SELECT
    b.status, EXISTS (SELECT FROM closed) AS done,
    (SELECT count(*) FROM ended WHERE state = 'not_sent') AS not_sent,
    (SELECT count(*) FROM ended WHERE state = 'in_doubt') AS in_doubt,
    (SELECT coalesce(sum(t.rounds), 0)::bigint FROM retention.run_totals t
     WHERE (t.run_id = b.run_id OR t.worked_by = b.run_id) AND t.state = 'claimed') AS claimed
FROM before b
