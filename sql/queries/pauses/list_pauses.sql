-- Purpose: Lists the pauses that stand.
-- Locks: none.
-- Returns: a row per pause, oldest first.
SELECT pause_id, partner, reason, paused_by, paused_at
FROM retention.pauses WHERE resumed_at IS NULL
ORDER BY pause_id
