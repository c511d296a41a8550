SELECT pause_id, partner, reason, paused_by, paused_at
FROM retention.pauses WHERE resumed_at IS NULL
ORDER BY pause_id
