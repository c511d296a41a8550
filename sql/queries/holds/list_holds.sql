-- Purpose: Lists the holds that stand, or with `ended` all holds.
-- Locks: none.
-- Returns: a row per hold, oldest first.
SELECT
    hold_id, partner, market, game_id, user_id, round_id, reason, created_by, created_at, until, released_at,
    released_by
FROM retention.holds
WHERE %(ended)s OR (released_at IS NULL AND (until IS NULL OR until > statement_timestamp()))
ORDER BY hold_id
