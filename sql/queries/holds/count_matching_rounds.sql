-- Purpose: Counts the open rounds that a hold on these fields matches.
-- Locks: none.
-- Returns: one row.
SELECT count(*) AS rounds
FROM retention.open_rounds k,
     (SELECT %(partner)s::text, %(market)s::text, %(game_id)s::text, %(user_id)s::text, %(round_id)s::text)
         AS h (partner, market, game_id, user_id, round_id)
WHERE
    -- include shared/hold_match.sql
