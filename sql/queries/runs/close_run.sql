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
    SET status = 'cancelled', halt_reason = %(reason)s, finished_at = statement_timestamp(), ended_by = %(replica)s,
        paused = false, paused_partners = '{}', notified = false
    FROM before b
    WHERE r.run_id = b.run_id AND b.status NOT IN ('finished', 'cancelled')
    RETURNING r.*
),

-- Its unsent rows end with it.
ended AS (
    UPDATE retention.cancellations c
    SET
        -- include shared/unsent_outcome.sql
        , detail = coalesce(c.detail || '; ', '') || k.halt_reason
    FROM closed k
    WHERE ((c.run_id = k.run_id AND c.adopted_by_run IS NULL) OR c.adopted_by_run = k.run_id)
      AND (c.state IN ('planned', 'retrying') OR (c.state = 'in_doubt' AND c.due_at IS NOT NULL))
    RETURNING c.*
),

-- The new hashes of the run and of its settled rows.
leaves_by_run AS (
    SELECT
        r.run_id, 'run' AS subject, r.run_id::text AS id,
        -- include shared/run_leaf.sql
        AS hash
    FROM closed r
    UNION ALL
    SELECT
        c.run_id, 'cancellation', c.id::text,
        -- include shared/cancellation_leaf.sql
    FROM ended c, retention.ledger_key k WHERE c.settled_at IS NOT NULL
),

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
    (SELECT count(*) FROM retention.cancellations c
     WHERE (c.run_id = b.run_id OR c.adopted_by_run = b.run_id) AND c.state = 'claimed') AS claimed
FROM before b
