-- Purpose: Ends a running run in which nothing is left to do. Rows of halted and paused partners stay as they are; with
--     paused partners the run is halted until their pauses end.
-- Locks: the run, until the commit: the first process ends it.
-- Returns: its id, or no row.
UPDATE retention.runs r
SET status = %(status)s, halt_reason = %(reason)s, ended_by = %(replica)s, notified = false,
    paused = %(paused_partners)s::text[] <> '{}', paused_partners = %(paused_partners)s,
    finished_at = CASE WHEN %(status)s <> 'halted' THEN statement_timestamp() END
WHERE r.run_id = %(run_id)s AND r.status = 'running'
  AND NOT EXISTS (
      SELECT FROM
          -- include shared/run_work.sql
          c
      WHERE c.state = 'claimed' OR (c.partner <> ALL (r.halted_partners || %(paused_partners)s::text[])
            AND (c.state IN ('planned', 'retrying') OR (c.state = 'in_doubt' AND c.due_at IS NOT NULL))))
RETURNING r.run_id
