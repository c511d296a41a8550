-- Nothing more is sent, for one partner or (NULL) for all: the deadline has come, or the partner cannot be reached.
-- What certainly did not happen was not sent; every doubt stays one.
WITH ended AS (
    UPDATE retention.cancellations c
    SET state = CASE WHEN c.may_have_taken_effect OR c.refusal_pending_probe THEN 'in_doubt' ELSE 'not_sent' END,
        settled_at = CASE WHEN NOT (c.may_have_taken_effect OR c.refusal_pending_probe) THEN statement_timestamp() END,
        needs_follow_up = c.may_have_taken_effect OR c.refusal_pending_probe, due_at = NULL,
        detail = coalesce(c.detail || '; ', '') || %(why)s
    WHERE ((c.run_id = %(run_id)s AND c.adopted_by_run IS NULL) OR c.adopted_by_run = %(run_id)s)
      AND (%(partner)s::text IS NULL OR c.partner = %(partner)s)
      AND (NOT %(tried_only)s OR c.tried_before OR c.run_id <> %(run_id)s)
      AND ((c.state IN ('planned', 'retrying') AND NOT %(doubts_only)s)
           OR (c.state = 'in_doubt' AND c.due_at IS NOT NULL))
    RETURNING c.partner, c.market, c.state
)
SELECT partner, market, state, count(*) AS rounds FROM ended GROUP BY partner, market, state
