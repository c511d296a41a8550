-- Purpose: Reads the first and the last moment of a report's rounds.
-- Locks: none.
-- Returns: one row; its times are NULL without a round.
WITH

-- Rounds and totals select the same.
selected AS (
    -- include shared/report_selection.sql
)

SELECT min(s.at) AS first, max(s.at) AS last
FROM selected s
