-- Purpose: Reads on the replica the rows of the operator's view that a plan looks at, and the other rows with the key
--     of one of them: a plan leaves out rounds that the view has twice.
-- Locks: none.
-- Returns: the rows. The primary judges them as it judges the view's own.
WITH

-- The rows within the policy's ages, partners, markets and games.
looked_at AS MATERIALIZED (
    SELECT
        o.partner, o.market, o.game_id, o.user_id, o.round_id, o.opened_at, o.last_activity_at, o.currency, o.stake,
        o.bet_transaction_id
    FROM retention.open_rounds o
    WHERE
        -- include shared/stale_match.sql
)

SELECT
    o.partner, o.market, o.game_id, o.user_id, o.round_id, o.opened_at, o.last_activity_at, o.currency, o.stake,
    o.bet_transaction_id
FROM retention.open_rounds o
WHERE (o.partner, o.round_id) IN (SELECT l.partner, l.round_id FROM looked_at l)
UNION ALL
SELECT
    l.partner, l.market, l.game_id, l.user_id, l.round_id, l.opened_at, l.last_activity_at, l.currency, l.stake,
    l.bet_transaction_id
FROM looked_at l WHERE l.partner IS NULL OR l.round_id IS NULL
