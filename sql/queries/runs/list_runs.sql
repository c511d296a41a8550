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
        sum(t.rounds)::bigint AS rounds,
        (sum(t.rounds) FILTER (WHERE t.state = 'cancelled'))::bigint AS cancelled,
        (sum(t.rounds) FILTER (WHERE t.state = 'already_cancelled'))::bigint AS already_cancelled,
        (sum(t.rounds) FILTER (WHERE t.state = 'already_completed'))::bigint AS already_completed,
        (sum(t.rounds) FILTER (WHERE t.state = 'rejected'))::bigint AS rejected,
        (sum(t.rounds) FILTER (WHERE t.state = 'in_doubt'))::bigint AS in_doubt,
        (sum(t.rounds) FILTER (WHERE t.state = 'not_sent'))::bigint AS not_sent,
        (sum(t.rounds) FILTER (WHERE t.state = 'no_longer_open'))::bigint AS no_longer_open,
        (sum(t.rounds) FILTER (WHERE t.state = 'held'))::bigint AS held,
        (sum(t.rounds) FILTER (WHERE t.state = 'resolved'))::bigint AS resolved,
        (sum(t.rounds) FILTER (WHERE t.state IN ('planned', 'claimed', 'retrying')))::bigint AS unfinished
    FROM retention.run_totals t WHERE t.run_id = r.run_id
) c ON true
ORDER BY r.as_of DESC
