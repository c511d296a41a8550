-- Purpose: Replaces users' ids by their pseudonyms, in at most `limit` cancellations and as many holds: the one of
--     `user_id` (NULL: all), settled or ended before `before` (NULL: whenever). Rows of runs that have not ended stay,
--     because their digest is over the ids. `begun` is when the command began, which repeats this statement.
-- Locks: the changed rows, until the commit.
-- Returns: one row, with the number of changed rows of each table.
WITH

-- Settled rounds of runs that have ended.
rounds AS (
    SELECT c.id
    FROM retention.cancellations c JOIN retention.runs r ON r.run_id = c.run_id
    WHERE c.settled_at IS NOT NULL AND r.status IN ('finished', 'failed', 'cancelled')
      AND c.user_id !~ '^pseudonym:[A-Za-z0-9_-]{22}$'
      AND (%(user_id)s::text IS NULL OR c.user_id = %(user_id)s)
      AND (%(before)s::timestamptz IS NULL OR c.settled_at < %(before)s)
    ORDER BY c.id LIMIT %(limit)s
    FOR UPDATE OF c
),

-- Holds that have ended.
ended_holds AS (
    SELECT h.hold_id
    FROM retention.holds h
    WHERE least(h.released_at, h.until) <= least(statement_timestamp(), %(before)s::timestamptz)
      AND h.user_id !~ '^pseudonym:[A-Za-z0-9_-]{22}$'
      AND (%(user_id)s::text IS NULL OR h.user_id = %(user_id)s)
    ORDER BY h.hold_id LIMIT %(limit)s
    FOR UPDATE OF h
),

-- The rounds, by pseudonym.
changed_rounds AS (
    UPDATE retention.cancellations c
    SET user_id = (
        SELECT
            -- include shared/pseudonym.sql
        FROM (VALUES (c.user_id)) AS u (user_id))
    FROM rounds, retention.ledger_key k WHERE c.id = rounds.id
    RETURNING c.*
),

-- The holds, by pseudonym.
changed_holds AS (
    UPDATE retention.holds h
    SET user_id = (
        SELECT
            -- include shared/pseudonym.sql
        FROM (VALUES (h.user_id)) AS u (user_id))
    FROM ended_holds, retention.ledger_key k WHERE h.hold_id = ended_holds.hold_id
    RETURNING h.*
),

-- Their hashes, which are the same as before.
leaves_by_run AS (
    SELECT
        c.run_id, 'cancellation' AS subject, c.id::text AS id,
        -- include shared/cancellation_leaf.sql
        AS hash
    FROM changed_rounds c, retention.ledger_key k
    UNION ALL
    SELECT
        NULL, 'hold', h.hold_id::text,
        -- include shared/hold_leaf.sql
    FROM changed_holds h, retention.ledger_key k
),

-- For the evidence, which never has an id of a user.
about AS (
    SELECT NULL::text AS replica, 'pseudonymised' AS kind, json_build_object(
        'by', %(by)s::text, 'count', (SELECT count(*) FROM leaves_by_run), 'begun', %(begun)s::timestamptz,
        'before', to_char(%(before)s::timestamptz AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')) AS facts
),

-- include shared/evidence_by_run.sql

SELECT (SELECT count(*) FROM changed_rounds) AS cancellations, (SELECT count(*) FROM changed_holds) AS holds
