-- The runs that have stale rounds of this scope in hand, and how many; and those of the same policy that have stalled.
SELECT r.run_id, r.policy, r.status, coalesce(r.progressed_at, r.started_at, r.as_of) AS progressed_at,
       r.heartbeat_until > statement_timestamp() AS at_work, s.stalled, h.rounds
FROM retention.runs r
CROSS JOIN LATERAL (
    SELECT
        -- include shared/stalled_run.sql
        AS stalled
) s
CROSS JOIN LATERAL (
    SELECT count(*) AS rounds
    FROM (
        SELECT c.partner, c.market, c.game_id, c.opened_at, c.state FROM retention.cancellations c
        WHERE c.run_id = r.run_id AND c.partner = ANY (%(partners)s::text[]) AND c.adopted_by_run IS NULL
        UNION ALL
        SELECT c.partner, c.market, c.game_id, c.opened_at, c.state FROM retention.cancellations c
        WHERE c.adopted_by_run = r.run_id AND c.partner = ANY (%(partners)s::text[])
    ) c
    -- What an abandoned run never sent is planned again; what it had claimed is not, before the leases are over.
    WHERE (c.state = 'claimed' OR (r.heartbeat_until > statement_timestamp() AND c.state IN ('planned', 'retrying', 'in_doubt')))
      AND c.opened_at <= %(as_of)s::timestamptz - make_interval(secs => %(open_longer_than)s)
      AND (%(markets)s::text[] IS NULL OR c.market = ANY (%(markets)s::text[]))
      AND (%(games)s::text[] IS NULL OR c.game_id = ANY (%(games)s::text[]))
      AND c.market <> ALL (%(exclude_markets)s::text[])
      AND (c.game_id IS NULL OR c.game_id <> ALL (%(exclude_games)s::text[]))
) h
WHERE r.status IN ('planned', 'running') AND r.run_id IS DISTINCT FROM %(run_id)s
  AND (h.rounds > 0 OR (s.stalled AND r.policy = %(policy)s))
ORDER BY r.as_of
