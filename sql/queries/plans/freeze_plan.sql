-- Purpose: Writes the plan of a run: one row per stale round that nothing stands against. A plan of more than
--     `max_rounds` (NULL: no limit) is not written: the run halts, and the next one finds the rounds again.
-- Locks: the rounds, for another plan of the same rounds at the same moment.
-- Returns: the plan in groups of partner, market, game and currency; then the rounds left out, by reason.
WITH

-- include shared/chosen_rounds.sql
,

-- include shared/frozen_rounds.sql

SELECT
    'eligible' AS standing, partner, market, game_id, currency, min(opened_at) AS oldest,
    -- include shared/stake_sums.sql
FROM (
    SELECT partner, market, game_id, currency, stake, opened_at FROM frozen
    UNION ALL
    SELECT partner, market, game_id, currency, stake, opened_at FROM chosen WHERE NOT (SELECT limits FROM within)
) planned GROUP BY partner, market, game_id, currency
UNION ALL
-- include shared/left_out.sql
