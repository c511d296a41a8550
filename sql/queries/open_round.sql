SELECT partner, market, game_id, user_id, round_id, opened_at, last_activity_at, currency, stake, bet_transaction_id
FROM retention.open_rounds
WHERE partner = %(partner)s AND round_id = %(round_id)s
ORDER BY opened_at, user_id, market
