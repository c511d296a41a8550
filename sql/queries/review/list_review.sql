-- Purpose: Lists the cancellations that need a person.
-- Locks: none.
-- Returns: a row per cancellation, oldest first. `given_up`: the round has ended so often that no run plans it again.
SELECT
    c.id, c.run_id, c.partner, c.market, c.round_id, c.state, c.error_code, c.description, c.amount, c.currency,
    c.stake, c.stake_currency, c.transaction_id, c.bet_transaction_id, c.detail, c.settled_at, c.conflict, c.incomplete,
    c.review,
    coalesce(ended.times >= p.max_runs, false) AS given_up
-- include shared/rounds_to_review.sql
ORDER BY c.id
