-- Purpose: Lists the cancellations of a month that leave the ledger, all but `kept`. Columns that serve the work alone
--     are left out.
-- Locks: none.
-- Returns: a row per cancellation, with the text that evidence hashes, in the order of their ids.
SELECT
    c.id, c.run_id::text AS run_id, c.partner, c.market, c.game_id, c.user_id, c.round_id, c.opened_at, c.stake,
    c.stake_currency, c.bet_transaction_id, c.state, c.error_code, c.description, c.currency, c.amount,
    c.transaction_id, c.conflict, c.detail, c.settled_at, c.attempts, c.resolved_as, c.resolved_by, c.resolved_note,
    c.resolved_at, c.resolved_from, c.adopted_by_run::text AS adopted_by_run, c.attempt_uuid::text AS attempt_uuid,
    c.tried_before, c.incomplete, c.review, c.last_activity_at, c.winnings,
    -- include shared/cancellation_text.sql
    AS text
FROM retention.cancellations c CROSS JOIN retention.ledger_key k
WHERE c.id BETWEEN %(first)s AND %(last)s AND c.id <> ALL (%(kept)s::bigint[])
ORDER BY c.id
