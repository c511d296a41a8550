-- The pauses that cover one of these partners, oldest first.
SELECT p.partner, p.paused_by, p.reason
FROM retention.pauses p
WHERE p.resumed_at IS NULL AND (p.partner IS NULL OR p.partner = ANY (%(partners)s::text[]))
ORDER BY p.pause_id
