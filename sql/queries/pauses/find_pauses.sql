-- Purpose: Finds the pauses that cover one of these partners.
-- Locks: none.
-- Returns: a row per pause, oldest first.
SELECT p.partner, p.paused_by AS by, p.reason
FROM retention.pauses p
WHERE
    -- include shared/covering_pause.sql
ORDER BY p.pause_id
