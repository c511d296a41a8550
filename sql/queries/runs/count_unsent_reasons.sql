-- Purpose: Counts why rounds of a run were not sent that need no review.
-- Locks: none.
-- Returns: the most frequent reasons first; `why` is NULL where no reason is on record.
SELECT nullif(t.why, '') AS why, sum(t.rounds)::bigint AS rounds
FROM retention.run_totals t
WHERE t.run_id = %(run_id)s AND t.state = 'not_sent' AND t.aspect = ''
GROUP BY t.why
HAVING sum(t.rounds) > 0
ORDER BY rounds DESC, why
LIMIT %(limit)s
