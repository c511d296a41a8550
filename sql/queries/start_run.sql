-- Sets a planned, halted or interrupted run going. A run that is going already is joined, and keeps its start and deadline.
UPDATE retention.runs
SET status = 'running', halt_reason = NULL, halted_partners = '{}',
    recent = CASE WHEN status = 'running' THEN recent ELSE '' END,
    started_at = coalesce(started_at, statement_timestamp()), finished_at = NULL,
    deadline_at = CASE WHEN status = 'running' AND active_until > statement_timestamp() THEN deadline_at
                       ELSE coalesce(statement_timestamp() + make_interval(secs => %(deadline)s::float8), 'infinity') END,
    active_until = statement_timestamp() + make_interval(secs => %(beat)s)
WHERE run_id = %(run_id)s AND status IN ('planned', 'halted', 'failed', 'running')
RETURNING started_at, as_of
