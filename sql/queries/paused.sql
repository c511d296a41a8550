-- The oldest pause that covers one of these partners, in the words that `watch` has for it.
SELECT 'paused by ' || p.paused_by || ': ' || p.reason || coalesce(' (' || p.partner || ')', '') AS paused
FROM retention.pauses p
WHERE p.resumed_at IS NULL AND (p.partner IS NULL OR p.partner = ANY (%(partners)s::text[]))
ORDER BY p.pause_id LIMIT 1
