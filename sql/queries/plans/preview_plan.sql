-- Purpose: Shows the plan that freeze_plan would write, and the reasons against the other stale rounds. Writes nothing.
-- Locks: none.
-- Returns: the rows of freeze_plan.
WITH

-- include shared/chosen_rounds.sql

SELECT
    'eligible' AS standing, partner, market, game_id, currency, min(opened_at) AS oldest,
    -- include shared/stake_sums.sql
FROM chosen GROUP BY partner, market, game_id, currency
UNION ALL
-- include shared/left_out.sql
