-- Stops a run for all replicas; `paused_partners` names the partners whose pause stops it, so that it goes on when that ends. Only
-- the first reason counts.
UPDATE retention.runs
SET status = 'halted', halt_reason = %(reason)s, paused = %(paused_partners)s::text[] <> '{}', paused_partners = %(paused_partners)s, notified = false,
    ended_by = %(replica)s
WHERE run_id = %(run_id)s AND status IN ('planned', 'running')
RETURNING run_id
