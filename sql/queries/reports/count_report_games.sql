-- Purpose: Counts the rounds of a report by game, those with the most rounds first.
-- Locks: none.
-- Returns: a row per market and game, at most `limit`.
WITH

-- Rounds and totals select the same.
selected AS (
    -- include shared/report_selection.sql
)

SELECT s.market, s.game_id, count(*) AS rounds
FROM selected s
GROUP BY s.market, s.game_id
ORDER BY count(*) DESC, s.market COLLATE "C", s.game_id COLLATE "C"
LIMIT %(limit)s
