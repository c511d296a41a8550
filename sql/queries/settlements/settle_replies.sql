-- Purpose: Settles a batch of replies: attempts, cancellations and the operator's own table, all of it or nothing.
-- Locks: the batch's cancellations, its run, and the rows that the operator's function locks; waits 5 s for one at
--     most.
-- Returns: a row per settled cancellation; one without id and uuid has the run's counts, one without an id a reply
--     whose attempt is not on record, since its commit was lost.
WITH

-- include shared/heeded_replies.sql
,

-- The rounds that the vendor has cancelled.
asked AS (
    SELECT id, partner, round_id, statement_timestamp() AS cancelled_at, currency, amount, transaction_id
    FROM locked WHERE state IN ('cancelled', 'already_cancelled')
),

-- include shared/operator_closing.sql
,

-- The rounds that the function did not return. Where the view still has a round open, the function refused it silently.
left_open AS MATERIALIZED (
    SELECT r.id, coalesce((
        -- By the key: with EXISTS the planner may read the whole view.
        SELECT true FROM retention.open_rounds o WHERE o.partner = r.partner AND o.round_id = r.round_id LIMIT 1
    ), false) AS refused
    FROM asked r
    -- One hash for all: the planner expects one round, and would read `closed` for each.
    WHERE (r.partner, r.round_id) NOT IN (
        SELECT k.partner, k.round_id FROM closed k WHERE k.partner IS NOT NULL AND k.round_id IS NOT NULL)
),

-- include shared/settled_rows.sql
UNION ALL
SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
-- include shared/unasked_refusal.sql
