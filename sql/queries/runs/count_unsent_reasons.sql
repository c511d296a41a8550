-- Purpose: Counts why rounds of a run were not sent that need no review.
-- Locks: none.
-- Returns: the most frequent reasons first; `why` is NULL where no reason is on record.
SELECT c.detail AS why, count(*) AS rounds
FROM retention.cancellations c
WHERE c.run_id = %(run_id)s AND c.state = 'not_sent' AND c.review IS NULL
GROUP BY c.detail
ORDER BY rounds DESC, why
LIMIT %(limit)s
