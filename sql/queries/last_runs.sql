-- Of each of these policies: when its newest run came to an end, when the newest one succeeded, and which run ended last,
-- a halted one included. A dry run is a success where the policy is one of `dry_run_policies`. What never ran has not ended.
SELECT p.policy, ended.finished_at, ended.succeeded_at, newest.run_id, newest.status
FROM unnest(%(policies)s::text[]) AS p (policy)
CROSS JOIN LATERAL (
    SELECT
        max(r.finished_at) AS finished_at,
        max(r.finished_at) FILTER (
            WHERE r.status = 'finished' AND (r.mode = 'enforce' OR p.policy = ANY (%(dry_run_policies)s::text[]))) AS succeeded_at
    FROM retention.runs r WHERE r.policy = p.policy AND r.status IN ('finished', 'failed')
) ended
LEFT JOIN LATERAL (
    SELECT r.run_id, r.status
    FROM retention.runs r WHERE r.policy = p.policy AND r.status IN ('finished', 'failed', 'halted')
    ORDER BY coalesce(r.finished_at, r.started_at, r.as_of) DESC, r.run_id LIMIT 1
) newest ON true
