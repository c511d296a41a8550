-- Purpose: Writes the plan of a targeted run: one row per named round that nothing stands against. The rail
--     `max_rounds` halts such a run with its rows, because its names stand nowhere else.
-- Locks: the rounds, for another plan of the same rounds at the same moment.
-- Returns: the plan in groups of partner, market, game and currency.
WITH

-- The named rounds that nothing stands against.
chosen AS (
    SELECT named.* FROM (
        -- include shared/named_rounds.sql
    ) named
    WHERE named.standing = 'eligible'
),

-- include shared/frozen_rounds.sql

SELECT
    'eligible' AS standing, partner, market, game_id, currency, min(opened_at) AS oldest,
    -- include shared/stake_sums.sql
FROM frozen GROUP BY partner, market, game_id, currency
