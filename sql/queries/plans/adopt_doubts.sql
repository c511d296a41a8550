-- Purpose: Adopts the doubts that earlier runs left, within this run's scope. They are settled in their own rows,
--     before anything new.
-- Locks: the adopted rows.
-- Returns: their ids.
UPDATE retention.cancellations c
SET adopted_by_run = %(run_id)s, state = 'in_doubt', due_at = statement_timestamp(), attempts_this_run = 0,
    probes_this_run = 0
FROM retention.runs r
WHERE r.run_id = coalesce(c.adopted_by_run, c.run_id) AND r.run_id <> %(run_id)s
  AND (r.status <> 'running' OR r.heartbeat_until < statement_timestamp())
  AND c.partner = %(partner)s AND c.needs_follow_up
  AND (c.state = 'in_doubt' OR (c.state = 'retrying' AND c.may_have_taken_effect))
  AND
      -- include shared/scope_match.sql
  -- A row of a plan without its approval cannot be in doubt, and a trigger lets no run adopt it.
  AND NOT EXISTS (
      SELECT FROM retention.runs o
      WHERE o.run_id = c.run_id AND o.settings -> 'requires_approval' = 'true' AND o.approval_used_at IS NULL)
RETURNING c.id
