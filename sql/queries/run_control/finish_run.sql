-- Ends a run in which nothing is left to do; halted partners keep what they have, and so do those of `paused_for`, for which
-- it is halted. The first to see it wins.
UPDATE retention.runs r
SET status = %(status)s, halt_reason = %(reason)s, ended_by = %(replica)s, told = false,
    paused = %(paused_for)s::text[] <> '{}', paused_for = %(paused_for)s,
    finished_at = CASE WHEN %(status)s <> 'halted' THEN statement_timestamp() END
WHERE r.run_id = %(run_id)s AND r.status = 'running'
  AND NOT EXISTS (
      SELECT FROM retention.cancellations c
      WHERE c.run_id = r.run_id AND c.taken_up_by IS NULL
        AND (c.state = 'claimed' OR (c.partner <> ALL (r.halted_partners || %(paused_for)s::text[])
             AND (c.state IN ('planned', 'retrying') OR (c.state = 'in_doubt' AND c.due_at IS NOT NULL)))))
  AND NOT EXISTS (
      SELECT FROM retention.cancellations c
      WHERE c.taken_up_by = r.run_id
        AND (c.state = 'claimed' OR (c.partner <> ALL (r.halted_partners || %(paused_for)s::text[])
             AND (c.state IN ('planned', 'retrying') OR (c.state = 'in_doubt' AND c.due_at IS NOT NULL)))))
RETURNING r.run_id
