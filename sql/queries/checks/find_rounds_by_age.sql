-- Purpose: Searches the operator's view as a plan begins to: for the rounds up to an age. It is explained, never run.
-- Locks: none.
-- Returns: the rounds, with every column, since one may come from another table.
SELECT
    o.partner, o.market, o.game_id, o.user_id, o.round_id, o.opened_at, o.last_activity_at, o.currency, o.stake,
    o.bet_transaction_id
FROM retention.open_rounds o
WHERE o.opened_at <= %(as_of)s::timestamptz - make_interval(secs => %(open_longer_than)s)
