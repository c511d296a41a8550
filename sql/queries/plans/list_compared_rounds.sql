-- Purpose: Lists the rounds of earlier runs beside the plan of now, each with its word.
-- Locks: none.
-- Returns: a row per round, by word, the oldest first.
WITH

-- include shared/compared_rounds.sql

SELECT
    word, why, planned_now, partner, market, game_id, user_id, round_id, opened_at, stake, currency, stake_now,
    currency_now, last_activity_at, run_id
FROM compared
ORDER BY array_position(%(words)s::text[], word), opened_at, partner, round_id
