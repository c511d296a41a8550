-- Purpose: Lists the newest runs with their counts.
-- Locks: none.
-- Returns: a row per run, the newest first.
WITH

-- The counts below are made for these alone.
newest AS (
    SELECT * FROM retention.runs ORDER BY as_of DESC LIMIT %(limit)s
)

SELECT
    r.run_id, r.policy, r.trigger, r.scheduled_for, r.mode, r.status, r.as_of, r.started_at, r.finished_at,
    r.requested_by, r.reason, r.halt_reason,
    -- include shared/last_progress.sql
    AS progressed_at, r.heartbeat_until > statement_timestamp() AS at_work,
    r.status IN ('planned', 'running') AND (r.stalled_at IS NOT NULL OR
        -- include shared/stalled_run.sql
    ) AS stalled,
    coalesce((r.unwritten_plan ->> 'rounds')::bigint, c.rounds, 0) AS rounds, coalesce(c.cancelled, 0) AS cancelled,
    coalesce(c.already_cancelled, 0) AS already_cancelled, coalesce(c.already_completed, 0) AS already_completed,
    coalesce(c.rejected, 0) AS rejected, coalesce(c.in_doubt, 0) AS in_doubt, coalesce(c.not_sent, 0) AS not_sent,
    coalesce(c.no_longer_open, 0) AS no_longer_open, coalesce(c.held, 0) AS held, coalesce(c.resolved, 0) AS resolved,
    coalesce(c.unfinished, 0) AS unfinished
FROM newest r
LEFT JOIN LATERAL (
    SELECT
        count(*) AS rounds,
        count(*) FILTER (WHERE state = 'cancelled') AS cancelled,
        count(*) FILTER (WHERE state = 'already_cancelled') AS already_cancelled,
        count(*) FILTER (WHERE state = 'already_completed') AS already_completed,
        count(*) FILTER (WHERE state = 'rejected') AS rejected,
        count(*) FILTER (WHERE state = 'in_doubt') AS in_doubt,
        count(*) FILTER (WHERE state = 'not_sent') AS not_sent,
        count(*) FILTER (WHERE state = 'no_longer_open') AS no_longer_open,
        count(*) FILTER (WHERE state = 'held') AS held,
        count(*) FILTER (WHERE state = 'resolved') AS resolved,
        count(*) FILTER (WHERE state IN ('planned', 'claimed', 'retrying')) AS unfinished
    FROM retention.cancellations c WHERE c.run_id = r.run_id
) c ON true
ORDER BY r.as_of DESC
