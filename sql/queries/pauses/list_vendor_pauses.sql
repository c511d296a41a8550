-- Purpose: Lists the pauses that vendors have asked for.
-- Locks: none.
-- Returns: a row per partner, with the pause's end.
SELECT partner, max(paused_until) AS until
FROM retention.partner_state
WHERE paused_until > statement_timestamp() AND (%(partners)s::text[] IS NULL OR partner = ANY (%(partners)s::text[]))
GROUP BY partner ORDER BY partner
