-- Purpose: Lists the decisions of people that a report selects.
-- Locks: none.
-- Returns: a row per decision, oldest first.
WITH

-- Rows and totals select the same.
selected AS (
    -- include shared/decision_selection.sql
)

SELECT *
FROM selected s
ORDER BY s.at, s.decision COLLATE "C", s.subject_id COLLATE "C"
