-- Purpose: Reads cancellations as they are now beside the operator's view: how many rows it has under the round's id,
--     and whether one of them is the same round.
-- Locks: none.
-- Returns: a row per cancellation, with the database's time.
SELECT
    c.id, became.outcome, became.at, c.state = 'resolved' AS resolved, c.amount, c.currency, c.stake, c.stake_currency,
    seen.rows, seen.same, statement_timestamp() AS now
FROM retention.cancellations c
CROSS JOIN LATERAL (
    SELECT
        coalesce(c.resolved_as, c.state) AS outcome,
        -- include shared/outcome_time.sql
        AS at
) became
CROSS JOIN LATERAL (
    -- By the key: an aggregate for each round keeps the planner from reading the whole view.
    SELECT
        count(*) AS rows,
        coalesce(bool_or(o.opened_at = c.opened_at AND o.user_id = c.user_id AND o.market = c.market), false) AS same
    FROM retention.open_rounds o WHERE o.partner = c.partner AND o.round_id = c.round_id
) seen
WHERE c.id = ANY (%(ids)s::bigint[])
