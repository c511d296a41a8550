-- Purpose: Checks whether any process could send requests of some kinds to a partner in a run: ever (`within` NULL), or
--     within so many seconds. Blocks of ids that have always been planned have no request; the newest come first.
-- Locks: none.
-- Returns: one row.
SELECT EXISTS (
    SELECT FROM (
        SELECT DISTINCT t.run_id, t.block
        FROM retention.run_totals t
        WHERE (t.run_id = %(run_id)s OR t.worked_by = %(run_id)s) AND t.partner = %(partner)s AND t.state <> 'planned'
        ORDER BY t.block DESC
    ) b
    CROSS JOIN LATERAL (
        SELECT FROM retention.cancellations c JOIN retention.attempts a ON a.cancellation_id = c.id
        WHERE c.run_id = b.run_id AND c.partner = %(partner)s
          AND c.id BETWEEN b.block * 10000 AND b.block * 10000 + 9999
          AND (c.run_id = %(run_id)s OR c.adopted_by_run = %(run_id)s)
          AND a.run_id = %(run_id)s AND a.kind = ANY (%(kinds)s::text[])
          AND a.sent_at > coalesce(statement_timestamp() - make_interval(secs => %(within)s::float8), '-infinity')
        LIMIT 1
    ) sent
) AS reached
