-- Purpose: Counts the decisions of people that a report selects.
-- Locks: none.
-- Returns: a row per decision and person.
WITH

-- Rows and totals select the same.
selected AS (
    -- include shared/decision_selection.sql
)

SELECT s.decision, s.by, count(*) AS count
FROM selected s
GROUP BY s.decision, s.by
ORDER BY s.decision COLLATE "C", s.by COLLATE "C"
