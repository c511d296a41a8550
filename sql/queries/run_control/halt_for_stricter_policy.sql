-- Stops a run whose policy has become stricter, for all replicas; one that is paused does not go on by itself any more.
UPDATE retention.runs
SET status = 'halted', halt_reason = %(reason)s, paused = false, paused_partners = '{}', notified = false, ended_by = %(replica)s
WHERE run_id = %(run_id)s AND (status IN ('planned', 'running') OR paused)
RETURNING run_id
