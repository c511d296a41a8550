-- Purpose: Finds an open round for the simulated vendor: the bet that it refunds.
-- Locks: none.
-- Returns: the round; no row where it is not open.
SELECT o.user_id, o.game_id, o.opened_at, o.currency, o.stake, o.bet_transaction_id
FROM retention.open_rounds o
WHERE o.partner = %(partner)s AND o.round_id = %(round_id)s
LIMIT 1
