-- Purpose: Finds runs by their ids, and runs with ids that begin with given digits: a range of the primary key.
-- Locks: none.
-- Returns: a row per run, the newest first.
SELECT r.run_id, r.policy, r.trigger, r.mode, r.as_of, r.requested_by, r.status, r.halt_reason
FROM retention.runs r
WHERE r.run_id = ANY (%(run_ids)s) OR r.run_id BETWEEN %(lowest)s::uuid AND %(highest)s::uuid
ORDER BY r.as_of DESC, r.run_id
