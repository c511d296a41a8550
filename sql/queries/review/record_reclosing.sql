-- Purpose: Records how reclosing rounds ended. A round that another process has closed meanwhile stays as it is.
--     `after` is `resolved` where a resolution closes the round, else NULL.
-- Locks: the cancellations, until the commit.
-- Returns: their ids.
WITH

-- The cancellations.
noted AS (
    UPDATE retention.cancellations c
    SET conflict = n.conflict, detail = n.detail
    FROM unnest(%(ids)s::bigint[], %(conflicts)s::boolean[], %(details)s::text[]) AS n (id, conflict, detail)
    WHERE c.id = n.id AND c.conflict
    RETURNING c.*
),

-- Their new hashes.
leaves_by_run AS (
    SELECT
        c.run_id, 'cancellation' AS subject, c.id::text AS id,
        -- include shared/cancellation_leaf.sql
        AS hash
    FROM noted c, retention.ledger_key k WHERE c.settled_at IS NOT NULL
),

-- For the evidence.
about AS (
    SELECT
        NULL::text AS replica, 'reclosed' AS kind,
        json_build_object('by', %(by)s::text, 'after', %(after)s::text) AS facts
),

-- include shared/evidence_by_run.sql

SELECT id FROM noted
