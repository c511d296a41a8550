-- Purpose: Counts the cancellations that need a person, by policy and reason. One with several reasons counts for each.
-- Locks: none.
-- Returns: a row per policy and reason with at least one cancellation.
WITH

-- Each cancellation with its reasons.
listed AS (
    SELECT o.policy, w.why
    -- include shared/rounds_to_review.sql
)

SELECT l.policy, a.why, count(*) AS rounds
FROM listed l CROSS JOIN LATERAL unnest(l.why) AS a (why)
GROUP BY l.policy, a.why
