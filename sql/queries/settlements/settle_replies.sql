-- A batch of replies: attempts, cancellations and the operator's own table, together or not at all. A reply whose attempt
-- is not on record (its commit was lost) changes nothing, and comes back without an id.
WITH
-- include shared/heeded_replies.sql
, asked AS (
    SELECT id, partner, round_id, statement_timestamp() AS cancelled_at, currency, amount, transaction_id
    FROM locked WHERE state IN ('cancelled', 'already_cancelled')
),
-- include shared/operator_closing.sql
, left_open AS MATERIALIZED (
    -- The function did not return them. Where the view still has them open, it refused, and said nothing.
    SELECT r.id, coalesce((
        -- By the key: with EXISTS the planner may read the whole view.
        SELECT true FROM retention.open_rounds o WHERE o.partner = r.partner AND o.round_id = r.round_id LIMIT 1
    ), false) AS refused
    FROM asked r
    -- One hash for all: the planner expects one round, and would go through `closed` for each.
    WHERE (r.partner, r.round_id) NOT IN (
        SELECT k.partner, k.round_id FROM closed k WHERE k.partner IS NOT NULL AND k.round_id IS NOT NULL)
),
-- include shared/settled_rows.sql
UNION ALL
SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
-- include shared/unasked_refusal.sql
