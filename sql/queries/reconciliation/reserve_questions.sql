-- Purpose: Reserves slots for questions to a partner, and commits the attempts of questions about one round before they
--     leave. While a person or the vendor pauses the partner, it gives no slot.
-- Locks: the partner's slots, then its rate group's, until the commit.
-- Returns: a row per slot, as the database's time (Unix seconds), or one row without a slot. Each row says who pauses
--     the partner, and whether the vendor asked for a pause.
WITH

-- An attempt must survive a crash once its request has left.
durable AS MATERIALIZED (
    -- include session/raise_durability.sql
),

-- Who pauses this partner, or all of them.
paused AS (
    SELECT (
        SELECT p.paused_by FROM retention.pauses p
        WHERE p.resumed_at IS NULL AND (p.partner IS NULL OR p.partner = %(partner)s) LIMIT 1
    ) AS by, EXISTS (
        SELECT FROM retention.partner_state s
        WHERE s.partner = %(partner)s AND s.kind = %(kind)s AND s.paused_until > statement_timestamp()
    ) AS by_vendor
    FROM (SELECT count(*) FROM durable) d
),

-- How many slots the questions need.
wanted AS (
    SELECT CASE WHEN p.by IS NULL AND NOT p.by_vendor THEN %(wanted)s::bigint ELSE 0 END AS rounds FROM paused p
),

-- include shared/slot_reservation.sql
,

-- The attempts of questions with a slot. A list of many rounds has no attempt.
recorded AS (
    INSERT INTO retention.attempts (uuid, cancellation_id, run_id, kind, replica, claimed_at)
    SELECT q.uuid, q.id, q.run_id, %(kind)s, %(replica)s, statement_timestamp()
    FROM given v,
        unnest(%(uuids)s::uuid[], %(ids)s::bigint[], %(run_ids)s::uuid[]) WITH ORDINALITY AS q (uuid, id, run_id, nth)
    WHERE q.nth = v.nth
)

SELECT
    p.by AS paused_by, p.by_vendor, extract(epoch FROM n.slot)::float8 AS slot,
    extract(epoch FROM v.at)::float8 AS at
FROM paused p
LEFT JOIN reserved v ON true
LEFT JOIN given n ON true
ORDER BY n.nth
