-- Purpose: Computes one column of the operator's view, or (NULL) no column, for the rounds up to an id (NULL: for all).
--     It raises if the view raises for one of them.
-- Locks: none.
-- Returns: one row: how many rounds, and how many have a value.
SELECT
    count(*) AS rounds,
    count(CASE %(column)s::text
              WHEN 'partner' THEN o.partner::text WHEN 'market' THEN o.market::text
              WHEN 'game_id' THEN o.game_id::text WHEN 'user_id' THEN o.user_id::text
              WHEN 'round_id' THEN o.round_id::text WHEN 'opened_at' THEN o.opened_at::text
              WHEN 'last_activity_at' THEN o.last_activity_at::text WHEN 'currency' THEN o.currency::text
              WHEN 'stake' THEN o.stake::text WHEN 'bet_transaction_id' THEN o.bet_transaction_id::text END) AS given
FROM retention.open_rounds o
WHERE %(up_to)s::text IS NULL OR o.round_id COLLATE "C" <= %(up_to)s::text
