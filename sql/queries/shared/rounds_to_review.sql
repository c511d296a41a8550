-- The cancellations that need a person, as `c`, with how often their rounds have ended as `ended.times` and their partners
-- as `p`; what a person has resolved needs nobody any more, once it is closed at the operator's.
FROM retention.cancellations c
JOIN retention.runs r ON r.run_id = coalesce(c.adopted_by_run, c.run_id)
LEFT JOIN unnest(%(partners)s::text[], %(max_runs)s::integer[]) AS p (partner, max_runs) ON p.partner = c.partner
CROSS JOIN LATERAL (
    -- Looked up for those alone that it matters for; they are few.
    SELECT CASE WHEN c.state IN ('rejected', 'already_completed') THEN (
        SELECT count(*) FROM retention.cancellations n
        WHERE n.partner = c.partner AND n.round_id = c.round_id AND n.state IN ('rejected', 'already_completed')
    ) END AS times
) ended
WHERE (c.state = 'in_doubt' AND (c.due_at IS NULL OR r.status <> 'running' OR r.heartbeat_until < statement_timestamp()))
   OR (c.state IN ('rejected', 'already_completed') AND (c.state = 'rejected' OR ended.times >= p.max_runs)
       -- The newest word on the round; what a dry run notes down is none.
       AND NOT EXISTS (
           SELECT FROM retention.cancellations n JOIN retention.runs m ON m.run_id = n.run_id
           WHERE n.partner = c.partner AND n.round_id = c.round_id AND n.id > c.id AND m.mode = 'enforce'))
   OR (c.state IN ('cancelled', 'already_cancelled')
       AND (c.conflict OR c.amount <> c.stake OR c.currency <> c.stake_currency
            OR c.transaction_id <> c.bet_transaction_id))
   OR (c.state = 'cancelled' AND c.incomplete)
   -- Resolved as cancelled, and still open at the operator's.
   OR (c.state = 'resolved' AND c.conflict)
   OR (c.review IS NOT NULL AND c.state <> 'resolved'
       AND NOT EXISTS (
           SELECT FROM retention.cancellations n JOIN retention.runs m ON m.run_id = n.run_id
           WHERE n.partner = c.partner AND n.round_id = c.round_id AND n.id > c.id AND m.mode = 'enforce'))
