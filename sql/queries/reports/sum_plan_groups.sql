-- Purpose: Sums up the plan of a run by market, game and currency, for the person who approves it.
-- Locks: none.
-- Returns: a row per group.
SELECT
    p.market, p.game_id, p.currency, min(p.opened_at) AS oldest, max(p.opened_at) AS newest,
    -- include shared/stake_sums.sql
FROM (
    SELECT market, game_id, stake_currency AS currency, stake, opened_at
    FROM retention.cancellations WHERE run_id = %(run_id)s
) p
GROUP BY p.market, p.game_id, p.currency
