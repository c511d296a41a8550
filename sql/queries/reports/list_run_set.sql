-- Purpose: Lists the frozen set of a run, and the outcome of each round. An adopted doubt belongs to its own run's set.
-- Locks: none.
-- Returns: a row per round, by partner, in the order of the plan.
SELECT
    c.id, c.partner, c.market, c.game_id, c.user_id, c.round_id, c.opened_at, c.stake, c.stake_currency,
    c.bet_transaction_id, c.state, c.resolved_as, c.error_code, c.description, c.detail, c.conflict, c.attempts,
    c.currency, c.amount, c.transaction_id, c.settled_at, c.adopted_by_run, c.last_activity_at,
    c.winnings
FROM retention.cancellations c
WHERE c.run_id = %(run_id)s
ORDER BY c.partner, c.id
