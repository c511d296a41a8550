-- Ends the runs that no process works on and of which nothing is left to do: another run has planned their rounds again, and
-- taken up their doubts.
UPDATE retention.runs r
SET status = 'failed', halt_reason = %(reason)s, finished_at = statement_timestamp(), ended_by = %(replica)s, told = false
WHERE r.status IN ('planned', 'running')
  AND r.active_until < statement_timestamp()
  AND NOT EXISTS (
      SELECT FROM retention.cancellations c
      WHERE c.run_id = r.run_id AND c.taken_up_by IS NULL AND c.state IN ('planned', 'claimed', 'retrying'))
  AND NOT EXISTS (
      SELECT FROM retention.cancellations c
      WHERE c.taken_up_by = r.run_id AND c.state IN ('planned', 'claimed', 'retrying', 'in_doubt'))
RETURNING r.run_id, r.policy, coalesce(r.progressed_at, r.started_at, r.as_of), true
