-- Purpose: Lists the cancellations of a round in all runs. `abandoned`: no process works on the run.
-- Locks: none.
-- Returns: a row per cancellation, oldest first.
SELECT
    c.id, c.run_id, r.policy, r.trigger, r.mode, r.as_of, r.requested_by, r.reason, r.evidence, r.approved_by,
    r.status AS run_status, r.halt_reason,
    r.status IN ('halted', 'failed') OR (r.heartbeat_until < %(as_of)s AND NOT
        -- include shared/waits_for_approval.sql
    ) AS abandoned,
    c.market, c.game_id, c.user_id, c.opened_at, c.stake, c.stake_currency, c.bet_transaction_id,
    c.state, c.error_code, c.description, c.currency, c.amount, c.transaction_id, c.conflict, c.incomplete, c.detail,
    c.settled_at, c.due_at, c.adopted_by_run AS taken_up_by, c.may_have_taken_effect, c.holds_round,
    c.resolved_from, c.resolved_as, c.resolved_by, c.resolved_note, c.resolved_at, c.last_activity_at, c.winnings
FROM retention.cancellations c JOIN retention.runs r ON r.run_id = c.run_id
WHERE c.partner = %(partner)s AND c.round_id = %(round_id)s
ORDER BY c.id
