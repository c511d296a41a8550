-- Purpose: Tells of each policy when its newest run ended, when the newest one succeeded, which run ended, halted or
--     asked for approval last, its newest scheduled time, and how many of its runs have stalled. A dry run is a success
--     for `dry_run_policies`. While a run has stalled, no later run counts as a success. Targeted runs say nothing
--     about a policy.
-- Locks: none.
-- Returns: a row per policy.
SELECT p.policy, ended.finished_at, ended.succeeded_at, newest.run_id, newest.status, scheduled.newest AS scheduled_for,
    stalled.runs AS stalled
FROM unnest(%(policies)s::text[]) AS p (policy)
CROSS JOIN LATERAL (
    SELECT count(*) AS runs, min(r.stalled_at) AS since
    FROM retention.runs r
    WHERE r.policy = p.policy AND r.trigger <> 'targeted' AND r.status IN ('planned', 'running')
      AND r.stalled_at IS NOT NULL
) stalled
CROSS JOIN LATERAL (
    SELECT
        max(r.finished_at) AS finished_at,
        max(r.finished_at) FILTER (
            WHERE r.status = 'finished' AND (r.mode = 'enforce' OR p.policy = ANY (%(dry_run_policies)s::text[]))
              AND (stalled.since IS NULL OR r.finished_at < stalled.since)) AS succeeded_at
    FROM retention.runs r
    WHERE r.policy = p.policy AND r.trigger <> 'targeted' AND r.status IN ('finished', 'failed')
) ended
CROSS JOIN LATERAL (
    SELECT max(r.scheduled_for) AS newest FROM retention.runs r WHERE r.policy = p.policy
) scheduled
LEFT JOIN LATERAL (
    SELECT r.run_id, r.status
    FROM retention.runs r
    WHERE r.policy = p.policy AND r.trigger <> 'targeted'
      AND r.status IN ('finished', 'failed', 'halted', 'awaiting_approval')
    ORDER BY coalesce(r.finished_at, r.started_at, r.as_of) DESC, r.run_id LIMIT 1
) newest ON true
