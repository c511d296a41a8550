-- Purpose: Calls the operator's function again for rounds that are cancelled and may still be open there. Where the
--     view has another round under the same id, the function is not called.
-- Locks: the cancellations, and the rows that the operator's function locks.
-- Returns: a row per round, with how it ended.
WITH

-- The rounds in conflict, each with the time of its cancellation.
locked AS (
    SELECT
        c.*,
        -- include shared/outcome_time.sql
        AS cancelled_at
    FROM retention.cancellations c
    WHERE c.id = ANY (%(ids)s::bigint[]) AND coalesce(c.resolved_as, c.state) IN ('cancelled', 'already_cancelled')
      AND c.conflict
    ORDER BY c.id FOR UPDATE OF c
),

-- `another`: the id names another round by now.
seen AS (
    SELECT l.*, EXISTS (
        SELECT FROM retention.open_rounds o
        WHERE o.partner = l.partner AND o.round_id = l.round_id
          AND (o.opened_at IS DISTINCT FROM l.opened_at OR o.user_id IS DISTINCT FROM l.user_id
               OR o.market IS DISTINCT FROM l.market)) AS another
    FROM locked l
),

-- The rounds to close.
asked AS (
    SELECT id, partner, round_id, cancelled_at, currency, amount, transaction_id FROM seen WHERE NOT another
),

-- include shared/operator_closing.sql

SELECT
    s.id, s.partner, s.round_id, s.state, s.detail, s.another, statement_timestamp() AS at,
    EXISTS (SELECT FROM closed k WHERE k.partner = s.partner AND k.round_id = s.round_id) AS closed
FROM seen s
UNION ALL
SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
-- include shared/unasked_refusal.sql
