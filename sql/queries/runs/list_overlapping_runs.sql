-- Purpose: Lists the runs that hold stale rounds of a scope, at work or waiting for approval, and the runs of the same
--     policy that have stalled.
-- Locks: none.
-- Returns: a row per run, with how many such rounds it holds.
SELECT
    r.run_id, r.policy, r.status,
    -- include shared/last_progress.sql
    AS progressed_at, r.heartbeat_until > statement_timestamp() AS at_work, s.stalled, h.rounds,
    r.approved_at IS NOT NULL AS approved
FROM retention.runs r
CROSS JOIN LATERAL (
    SELECT
        -- include shared/waits_for_approval.sql
        AS waits
) w
CROSS JOIN LATERAL (
    SELECT
        r.status <> 'awaiting_approval' AND
        -- include shared/stalled_run.sql
        AS stalled
) s
CROSS JOIN LATERAL (
    SELECT count(*) AS rounds
    -- The totals tell where the live rounds are.
    FROM (
        SELECT t.run_id, t.partner, t.block
        FROM retention.run_totals t
        WHERE t.worked_by = r.run_id AND t.state IN ('planned', 'claimed', 'retrying', 'in_doubt')
          AND t.partner = ANY (%(partners)s::text[])
        GROUP BY t.run_id, t.partner, t.block
        HAVING sum(t.rounds) > 0
    ) b
    CROSS JOIN LATERAL (
        SELECT c.market, c.game_id, c.opened_at, c.state
        FROM retention.cancellations c
        WHERE c.run_id = b.run_id AND c.partner = b.partner AND c.id BETWEEN b.block * 10000 AND b.block * 10000 + 9999
          AND coalesce(c.adopted_by_run, c.run_id) = r.run_id
        OFFSET 0
    ) c
    -- Rounds that an abandoned run never sent are planned again; its claims are not, before their leases end.
    WHERE (c.state = 'claimed'
           OR ((w.waits OR r.heartbeat_until > statement_timestamp())
               AND c.state IN ('planned', 'retrying', 'in_doubt')))
      AND c.opened_at <= %(as_of)s::timestamptz - make_interval(secs => %(open_longer_than)s)
      AND
          -- include shared/scope_match.sql
) h
WHERE r.status IN ('planned', 'running', 'awaiting_approval') AND r.run_id IS DISTINCT FROM %(run_id)s
  AND (h.rounds > 0 OR (s.stalled AND r.policy = %(policy)s))
ORDER BY r.as_of
