-- Purpose: Finds cancellations that are archived by an id that stays in the ledger: of a round that they cancelled,
--     or of a refund's own transaction.
-- Locks: none.
-- Returns: the ids of the cancellations.
WITH RECURSIVE

-- Each partner, once: the index begins with it.
partners AS (
    SELECT min(k.partner) AS partner FROM retention.round_keys k
    UNION ALL
    SELECT (SELECT min(k.partner) FROM retention.round_keys k WHERE k.partner > p.partner)
    FROM partners p WHERE p.partner IS NOT NULL
),

-- The cancellations, in the ledger or not.
matches AS (
    SELECT k.held_by AS id
    FROM partners p JOIN retention.round_keys k ON k.partner = p.partner AND k.round_id = %(given)s
    UNION
    SELECT t.cancellation_id FROM retention.other_transactions t WHERE t.transaction_id = %(given)s
)

SELECT m.id FROM matches m
WHERE m.id IS NOT NULL AND NOT EXISTS (SELECT FROM retention.cancellations c WHERE c.id = m.id)
