-- Purpose: Lists the unfinished runs that no process works on; of cancelled runs, those with rows that a process had
--     claimed.
-- Locks: none.
-- Returns: their ids.
SELECT r.run_id FROM retention.runs r
WHERE (r.status IN ('halted', 'failed')
       OR (r.status IN ('planned', 'running') AND r.heartbeat_until < statement_timestamp())
       OR (r.status = 'cancelled' AND r.started_at IS NOT NULL AND r.heartbeat_until < statement_timestamp()
           AND EXISTS (
               SELECT FROM retention.run_totals t
               WHERE t.run_id = r.run_id AND t.state = 'claimed' HAVING sum(t.rounds) > 0)))
  AND r.run_id <> %(run_id)s
