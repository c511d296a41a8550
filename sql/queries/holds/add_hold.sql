-- Purpose: Adds a hold. A hold that would end before it begins is not added.
-- Locks: none.
-- Returns: its id, or no row.
WITH

-- The hold.
added AS (
    INSERT INTO retention.holds (partner, market, game_id, user_id, round_id, reason, created_by, created_at, until)
    SELECT %(partner)s, %(market)s, %(game_id)s, %(user_id)s, %(round_id)s, %(reason)s, %(by)s, statement_timestamp(),
           %(until)s::timestamptz
    WHERE coalesce(%(until)s::timestamptz > statement_timestamp(), true)
    RETURNING *
),

-- Its hash.
leaves AS (
    SELECT
        'hold' AS subject, h.hold_id::text AS id,
        -- include shared/hold_leaf.sql
        AS hash
    FROM added h, retention.ledger_key k
),

-- For the evidence.
about AS (
    SELECT
        NULL::uuid AS run_id, NULL::text AS replica, 'hold_added' AS kind,
        json_build_object('by', %(by)s::text, 'note', %(reason)s::text) AS facts
),

-- include shared/evidence_entry.sql

SELECT hold_id FROM added
