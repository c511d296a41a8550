-- Purpose: Lists every request that was made for a round.
-- Locks: none.
-- Returns: a row per attempt, oldest first.
SELECT
    a.uuid, a.cancellation_id, a.run_id, a.kind, a.replica, a.claimed_at, a.sent_at, a.replied_at, a.http_status,
    a.error_code, a.outcome, a.detail
FROM retention.cancellations c JOIN retention.attempts a ON a.cancellation_id = c.id
WHERE c.partner = %(partner)s AND c.round_id = %(round_id)s
ORDER BY a.claimed_at, a.uuid
