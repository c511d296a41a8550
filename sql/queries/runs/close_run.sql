-- Calls a run off for good. What was planned and not sent is settled with it, doubts stay; what a process has claimed just
-- now is settled by that process. Returns the status that the run had, and how many rounds are not sent.
WITH before AS (
    SELECT run_id, status FROM retention.runs WHERE run_id = %(run_id)s FOR UPDATE
), closed AS (
    UPDATE retention.runs r
    SET status = 'cancelled', halt_reason = %(reason)s,
        finished_at = statement_timestamp(), paused = false, paused_partners = '{}', notified = false, ended_by = %(replica)s
    FROM before b
    WHERE r.run_id = b.run_id AND b.status NOT IN ('finished', 'cancelled')
    RETURNING r.run_id, r.halt_reason
), ended AS (
    UPDATE retention.cancellations c
    SET state = CASE WHEN c.may_have_taken_effect OR c.refusal_pending_probe THEN 'in_doubt' ELSE 'not_sent' END,
        settled_at = CASE WHEN NOT (c.may_have_taken_effect OR c.refusal_pending_probe) THEN statement_timestamp() END,
        needs_follow_up = c.may_have_taken_effect OR c.refusal_pending_probe, due_at = NULL,
        detail = coalesce(c.detail || '; ', '') || k.halt_reason
    FROM closed k
    WHERE ((c.run_id = k.run_id AND c.adopted_by_run IS NULL) OR c.adopted_by_run = k.run_id)
      AND (c.state IN ('planned', 'retrying') OR (c.state = 'in_doubt' AND c.due_at IS NOT NULL))
    RETURNING c.state
)
SELECT
    b.status, EXISTS (SELECT FROM closed) AS done,
    (SELECT count(*) FROM ended WHERE state = 'not_sent') AS not_sent,
    (SELECT count(*) FROM ended WHERE state = 'in_doubt') AS in_doubt,
    (SELECT count(*) FROM retention.cancellations c
     WHERE (c.run_id = b.run_id OR c.adopted_by_run = b.run_id) AND c.state = 'claimed') AS claimed
FROM before b
