-- A batch of replies: attempts, cancellations and the operator's own table, together or not at all. A reply whose attempt
-- is not on record (its commit was lost) changes nothing, and comes back without an id.
WITH
-- include shared/settle_replies.sql
, asked AS (
    SELECT id, partner, round_id, statement_timestamp() AS cancelled_at, currency, amount, transaction_id
    FROM locked WHERE state IN ('cancelled', 'already_cancelled')
),
-- include shared/close_asked.sql
, left_open AS (
    -- The function did not return them. Where the view still has them open, it refused, and said nothing.
    SELECT r.id, coalesce((
        -- By the key: with EXISTS the planner may read the whole view.
        SELECT true FROM retention.open_rounds o WHERE o.partner = r.partner AND o.round_id = r.round_id LIMIT 1
    ), false) AS refused
    FROM asked r
    WHERE NOT EXISTS (SELECT FROM closed k WHERE k.partner = r.partner AND k.round_id = r.round_id)
),
-- include shared/settle_rows.sql
UNION ALL
SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
-- include shared/refuse_unasked.sql
