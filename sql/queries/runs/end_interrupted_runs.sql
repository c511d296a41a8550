-- Ends the runs that no process works on and of which nothing is left to do: another run has planned their rounds again, and
-- taken up their doubts.
UPDATE retention.runs r
SET status = 'failed', halt_reason = %(reason)s, finished_at = statement_timestamp(), ended_by = %(replica)s, notified = false
WHERE r.status IN ('planned', 'running')
  AND r.heartbeat_until < statement_timestamp()
  AND NOT EXISTS (
      SELECT FROM retention.cancellations c
      WHERE c.run_id = r.run_id AND c.adopted_by_run IS NULL AND c.state IN ('planned', 'claimed', 'retrying'))
  AND NOT EXISTS (
      SELECT FROM retention.cancellations c
      WHERE c.adopted_by_run = r.run_id AND c.state IN ('planned', 'claimed', 'retrying', 'in_doubt'))
RETURNING r.run_id, r.policy, coalesce(r.progressed_at, r.started_at, r.as_of), true
