-- Purpose: Counts the cancellations of a run, and the doubts that it adopted, that need a person, by reason. One with
--     several reasons counts for each.
-- Locks: none.
-- Returns: a row per reason with at least one cancellation.
WITH

-- Each cancellation with its reasons.
listed AS (
    SELECT w.why
    -- include shared/rounds_to_review.sql
      AND (s.run_id = %(run_id)s OR s.adopted_by_run = %(run_id)s)
)

SELECT a.why, count(*) AS rounds
FROM listed l CROSS JOIN LATERAL unnest(l.why) AS a (why)
GROUP BY a.why
