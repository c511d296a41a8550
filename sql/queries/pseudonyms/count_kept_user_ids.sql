-- Purpose: Counts the rows that keep a user's id for now, since work needs it: rounds that are not settled or of runs
--     that have not ended, and holds that stand. With `user_id` also the rows that have its pseudonym.
-- Locks: none.
-- Returns: one row.
WITH

-- The pseudonym of the id.
erased AS (
    SELECT
        -- include shared/pseudonym.sql
        AS user_id
    FROM retention.ledger_key k, (VALUES (%(user_id)s::text)) AS u (user_id)
    WHERE u.user_id IS NOT NULL
),

-- Rounds, counted.
rounds AS (
    SELECT
        count(*) FILTER (WHERE c.settled_at IS NULL) AS live,
        count(*) FILTER (WHERE c.settled_at IS NOT NULL) AS of_runs
    FROM retention.cancellations c JOIN retention.runs r ON r.run_id = c.run_id
    WHERE (c.settled_at IS NULL OR r.status NOT IN ('finished', 'failed', 'cancelled'))
      AND c.user_id !~ '^pseudonym:[A-Za-z0-9_-]{22}$'
      AND (%(user_id)s::text IS NULL OR c.user_id = %(user_id)s)
      AND (%(before)s::timestamptz IS NULL OR coalesce(c.settled_at, c.opened_at) < %(before)s)
),

-- Holds, counted.
standing AS (
    SELECT count(*) AS holds
    FROM retention.holds h
    WHERE h.released_at IS NULL AND coalesce(h.until > statement_timestamp(), true)
      AND h.user_id !~ '^pseudonym:[A-Za-z0-9_-]{22}$'
      AND (%(user_id)s::text IS NULL OR h.user_id = %(user_id)s)
      AND (%(before)s::timestamptz IS NULL OR h.created_at < %(before)s)
)

SELECT
    r.live, r.of_runs, s.holds,
    (SELECT count(*) FROM retention.cancellations c WHERE c.user_id = (SELECT user_id FROM erased))
        + (SELECT count(*) FROM retention.holds h WHERE h.user_id = (SELECT user_id FROM erased)) AS erased
FROM rounds r, standing s
