-- Purpose: Checks whether any process could send requests of some kinds to a partner in a run: ever (`within` NULL), or
--     within so many seconds.
-- Locks: none.
-- Returns: one row.
SELECT EXISTS (
    SELECT FROM retention.cancellations c JOIN retention.attempts a ON a.cancellation_id = c.id
    WHERE (c.run_id = %(run_id)s OR c.adopted_by_run = %(run_id)s) AND c.partner = %(partner)s
      AND a.run_id = %(run_id)s AND a.kind = ANY (%(kinds)s::text[])
      AND a.sent_at > coalesce(statement_timestamp() - make_interval(secs => %(within)s::float8), '-infinity')
) AS reached
