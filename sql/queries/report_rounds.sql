-- The rounds of a report, in the order in which they were settled.
WITH selected AS (
    -- include report_selection.sql
)
SELECT
    partner, market, game_id, user_id, round_id, opened_at, outcome, settled_at, currency, amount, stake_currency, stake,
    transaction_id, attempt_uuid, run_id, policy, trigger, requested_by, reason, evidence, approved_by,
    state, conflict, incomplete, detail, bet_transaction_id
FROM selected
ORDER BY at, id
