-- Why rounds of a run were not sent that nobody has to look at, the most frequent reasons first.
SELECT coalesce(c.detail, 'no reason on record') AS why, count(*) AS rounds
FROM retention.cancellations c
WHERE c.run_id = %(run_id)s AND c.state = 'not_sent' AND c.review IS NULL
GROUP BY c.detail
ORDER BY rounds DESC, why
LIMIT %(limit)s
