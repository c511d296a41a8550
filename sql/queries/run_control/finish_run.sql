-- Ends a run in which nothing is left to do; halted partners keep what they have, and so do those of `paused_partners`, for which
-- it is halted. The first to see it wins.
UPDATE retention.runs r
SET status = %(status)s, halt_reason = %(reason)s, ended_by = %(replica)s, notified = false,
    paused = %(paused_partners)s::text[] <> '{}', paused_partners = %(paused_partners)s,
    finished_at = CASE WHEN %(status)s <> 'halted' THEN statement_timestamp() END
WHERE r.run_id = %(run_id)s AND r.status = 'running'
  AND NOT EXISTS (
      SELECT FROM retention.cancellations c
      WHERE c.run_id = r.run_id AND c.adopted_by_run IS NULL
        AND (c.state = 'claimed' OR (c.partner <> ALL (r.halted_partners || %(paused_partners)s::text[])
             AND (c.state IN ('planned', 'retrying') OR (c.state = 'in_doubt' AND c.due_at IS NOT NULL)))))
  AND NOT EXISTS (
      SELECT FROM retention.cancellations c
      WHERE c.adopted_by_run = r.run_id
        AND (c.state = 'claimed' OR (c.partner <> ALL (r.halted_partners || %(paused_partners)s::text[])
             AND (c.state IN ('planned', 'retrying') OR (c.state = 'in_doubt' AND c.due_at IS NOT NULL)))))
RETURNING r.run_id
