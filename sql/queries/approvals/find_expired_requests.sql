-- Purpose: Tells whether an approval has expired without its run having started. Asked before expire_approvals, which
--     names the cancellations, and so waits for a lock on them though nothing has expired.
-- Locks: none.
-- Returns: one row.
SELECT EXISTS (
    SELECT FROM retention.runs WHERE status = 'awaiting_approval' AND approval_expires_at <= statement_timestamp()
) AS expired
