-- Fragment from FROM on: the cancellations `c` that need a person; `ended.times` is how often a round has ended as
-- rejected or completed, `p` its partner's limit. A resolved row needs no person once it is closed at the operator's.
FROM retention.cancellations c
JOIN retention.runs r ON r.run_id = coalesce(c.adopted_by_run, c.run_id)
LEFT JOIN unnest(%(partners)s::text[], %(max_runs)s::integer[]) AS p (partner, max_runs) ON p.partner = c.partner
CROSS JOIN LATERAL (
    -- Counted only for the few rows that need it.
    SELECT CASE WHEN c.state IN ('rejected', 'already_completed') THEN (
        SELECT count(*) FROM retention.cancellations n
        WHERE n.partner = c.partner AND n.round_id = c.round_id AND n.state IN ('rejected', 'already_completed')
    ) END AS times
) ended
WHERE (c.state = 'in_doubt'
       AND (c.due_at IS NULL OR r.status <> 'running' OR r.heartbeat_until < statement_timestamp()))
   OR (c.state IN ('rejected', 'already_completed') AND (c.state = 'rejected' OR ended.times >= p.max_runs)
       AND NOT
           -- include shared/later_row.sql
   )
   OR (c.state IN ('cancelled', 'already_cancelled')
       AND (c.conflict OR
            -- include shared/discrepancy.sql
       ))
   OR (c.state = 'cancelled' AND c.incomplete)
   -- Resolved as cancelled, and still open at the operator's.
   OR (c.state = 'resolved' AND c.conflict)
   OR (c.review IS NOT NULL AND c.state <> 'resolved'
       AND NOT
           -- include shared/later_row.sql
   )
