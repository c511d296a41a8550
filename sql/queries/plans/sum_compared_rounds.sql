-- Purpose: Counts the rounds of earlier runs beside the plan of now, each round by one word, and sums their stakes.
-- Locks: none.
-- Returns: a row for each word, reason, partner, market, game and currency.
WITH

-- include shared/compared_rounds.sql

SELECT
    word, why, planned_now, partner, market, game_id, currency, currency_now, count(*) AS rounds,
    sum(stake) AS stake, sum(stake_now) AS stake_now
FROM compared
GROUP BY word, why, planned_now, partner, market, game_id, currency, currency_now
