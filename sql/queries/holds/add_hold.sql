-- Purpose: Adds a hold. A hold that would end before it begins is not added.
-- Locks: none.
-- Returns: its id, or no row.
INSERT INTO retention.holds (partner, market, game_id, user_id, round_id, reason, created_by, created_at, until)
SELECT %(partner)s, %(market)s, %(game_id)s, %(user_id)s, %(round_id)s, %(reason)s, %(by)s, statement_timestamp(),
       %(until)s::timestamptz
WHERE coalesce(%(until)s::timestamptz > statement_timestamp(), true)
RETURNING hold_id
