-- The oldest pause that covers one of these partners.
SELECT p.paused_by, p.reason, p.partner
FROM retention.pauses p
WHERE p.resumed_at IS NULL AND (p.partner IS NULL OR p.partner = ANY (%(partners)s::text[]))
ORDER BY p.pause_id LIMIT 1
