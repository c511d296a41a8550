-- Purpose: Samples identifiers and amounts of the operator's view and of the ledger.
-- Locks: none.
-- Returns: a row per relation, column and value.
SELECT DISTINCT 'retention.open_rounds' AS relation, v.name, v.value
FROM (
    SELECT round_id, user_id, game_id, bet_transaction_id, stake FROM retention.open_rounds LIMIT %(limit)s
) o, LATERAL (VALUES
    ('round_id', o.round_id::text), ('user_id', o.user_id::text), ('game_id', o.game_id::text),
    ('bet_transaction_id', o.bet_transaction_id::text), ('stake', o.stake::text)) AS v (name, value)
WHERE v.value IS NOT NULL
UNION
SELECT DISTINCT 'retention.cancellations', v.name, v.value
FROM (
    SELECT round_id, user_id, game_id, transaction_id, error_code, amount
    FROM retention.cancellations ORDER BY id DESC LIMIT %(limit)s
) c, LATERAL (VALUES
    ('round_id', c.round_id), ('user_id', c.user_id), ('game_id', c.game_id), ('transaction_id', c.transaction_id),
    ('error_code', c.error_code), ('amount', c.amount::text)) AS v (name, value)
WHERE v.value IS NOT NULL
