-- Purpose: Lists the rounds of a run with the largest stakes. Stakes of several currencies cannot be compared: the
--     largest of each comes first, then the second largest of each.
-- Locks: none.
-- Returns: a row per round, at most `limit`.
SELECT r.id, r.partner, r.market, r.game_id, r.user_id, r.round_id, r.opened_at, r.stake, r.stake_currency
FROM (
    SELECT
        c.id, c.partner, c.market, c.game_id, c.user_id, c.round_id, c.opened_at, c.stake, c.stake_currency,
        row_number() OVER (PARTITION BY c.stake_currency ORDER BY c.stake DESC, c.id) AS place
    FROM retention.cancellations c
    WHERE c.run_id = %(run_id)s AND c.stake IS NOT NULL
) r
WHERE r.place <= %(limit)s
ORDER BY r.place, r.stake DESC, r.id
LIMIT %(limit)s
