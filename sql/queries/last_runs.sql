-- The newest finished run of each of these policies.
SELECT DISTINCT ON (r.policy) r.policy, r.run_id, r.finished_at
FROM retention.runs r
WHERE r.policy = ANY (%(policies)s::text[]) AND r.status = 'finished'
ORDER BY r.policy, r.finished_at DESC
