-- Stops a run for all replicas. Only the first reason counts.
UPDATE retention.runs
SET status = 'halted', halt_reason = %(reason)s, paused = %(paused)s, ended_by = %(replica)s
WHERE run_id = %(run_id)s AND status IN ('planned', 'running')
RETURNING run_id
