-- Purpose: Lists every hold that ever matched a round, ended ones too.
-- Locks: none.
-- Returns: a row per hold, oldest first.
WITH

-- The round as it is open now, as each run found it, and by its key alone.
known AS (
    SELECT partner, market, game_id, user_id, round_id FROM retention.open_rounds
    WHERE partner = %(partner)s AND round_id = %(round_id)s
    UNION
    SELECT partner, market, game_id, user_id, round_id FROM retention.cancellations
    WHERE partner = %(partner)s AND round_id = %(round_id)s
    UNION
    SELECT %(partner)s, NULL, NULL, NULL, %(round_id)s
)

SELECT
    h.hold_id, h.partner, h.market, h.game_id, h.user_id, h.round_id, h.reason, h.created_by, h.created_at, h.until,
    h.released_at, h.released_by
FROM retention.holds h
WHERE EXISTS (
    SELECT FROM known k
    WHERE
        -- include shared/hold_match.sql
)
ORDER BY h.hold_id
