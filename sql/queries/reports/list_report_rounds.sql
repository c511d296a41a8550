-- Purpose: Lists the rounds of a report.
-- Locks: none.
-- Returns: a row per cancellation, in the order of their outcomes.
WITH

-- Rounds and totals select the same.
selected AS (
    -- include shared/report_selection.sql
)

SELECT
    s.partner, s.market, s.game_id, s.user_id, s.round_id, s.opened_at, s.outcome, s.at, s.currency, s.amount,
    s.stake_currency, s.stake, s.transaction_id, s.run_id, s.policy, s.trigger, s.requested_by, s.reason, s.evidence,
    s.approved_by, s.state, s.conflict, s.incomplete, s.detail, s.bet_transaction_id, s.last_activity_at, s.winnings,
    s.plan_digest,
    -- include shared/cancel_uuid.sql
    AS cancel_uuid
FROM selected s
ORDER BY s.at, s.id
