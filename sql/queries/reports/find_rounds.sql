-- Purpose: Finds the rows of cancellations that an id belongs to: as a round, a user, a transaction or a request. Each
--     kind of id is one look-up by an index.
-- Locks: none.
-- Returns: a row per cancellation, the newest first, at most `limit`; `kinds` names the columns that have the id.
WITH RECURSIVE

-- Each partner of the ledger, once: the index of rounds begins with it.
partners AS (
    SELECT min(c.partner) AS partner FROM retention.cancellations c
    UNION ALL
    SELECT (SELECT min(c.partner) FROM retention.cancellations c WHERE c.partner > p.partner)
    FROM partners p WHERE p.partner IS NOT NULL
),

-- The rows, each once per kind.
matches AS (
    SELECT c.id, 'round' AS kind
    FROM partners p JOIN retention.cancellations c ON c.partner = p.partner AND c.round_id = %(given)s
    UNION ALL
    SELECT c.id, 'user' FROM retention.cancellations c WHERE c.user_id = %(given)s
    UNION ALL
    SELECT c.id, 'bet_transaction' FROM retention.cancellations c WHERE c.bet_transaction_id = %(given)s
    UNION ALL
    -- A refund names the transaction of its bet, or another one.
    SELECT c.id, 'transaction' FROM retention.cancellations c
    WHERE c.bet_transaction_id = %(given)s AND c.transaction_id = %(given)s
    UNION ALL
    SELECT t.cancellation_id, 'transaction' FROM retention.other_transactions t WHERE t.transaction_id = %(given)s
    UNION ALL
    SELECT a.cancellation_id, 'request' FROM retention.attempts a WHERE a.uuid = %(uuid)s
)

SELECT
    array_agg(m.kind ORDER BY m.kind) AS kinds, c.id, c.partner, c.market, c.game_id, c.user_id, c.round_id,
    c.opened_at, c.stake, c.stake_currency, c.bet_transaction_id, c.run_id, r.policy, r.mode, c.adopted_by_run,
    c.state, c.resolved_as, c.settled_at, c.amount, c.currency, c.transaction_id
FROM matches m
JOIN retention.cancellations c ON c.id = m.id
JOIN retention.runs r ON r.run_id = c.run_id
GROUP BY c.id, r.run_id
ORDER BY c.id DESC
LIMIT %(limit)s
