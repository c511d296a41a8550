-- Nothing more is sent, for one partner or (NULL) for all: the deadline has come, or the partner cannot be reached.
-- What certainly did not happen was not sent; every doubt stays one.
WITH ended AS (
    UPDATE retention.cancellations c
    SET state = CASE WHEN c.doubtful OR c.refused THEN 'in_doubt' ELSE 'not_sent' END,
        settled_at = CASE WHEN NOT (c.doubtful OR c.refused) THEN statement_timestamp() END,
        holds_round = c.doubtful OR c.refused, unsettled = c.doubtful OR c.refused, due_at = NULL,
        detail = coalesce(c.detail || '; ', '') || %(why)s
    WHERE ((c.run_id = %(run_id)s AND c.taken_up_by IS NULL) OR c.taken_up_by = %(run_id)s)
      AND (%(partner)s::text IS NULL OR c.partner = %(partner)s)
      AND (NOT %(tried_only)s OR c.tried_before OR c.run_id <> %(run_id)s)
      AND ((c.state IN ('planned', 'retrying') AND NOT %(doubts_only)s)
           OR (c.state = 'in_doubt' AND c.due_at IS NOT NULL))
    RETURNING c.partner, c.market, c.state
)
SELECT partner, market, state, count(*) AS rounds FROM ended GROUP BY partner, market, state
