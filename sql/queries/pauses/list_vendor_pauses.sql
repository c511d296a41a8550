-- The partners that their vendor wants to be left alone, and until when.
SELECT partner, max(paused_until) AS until
FROM retention.partner_state
WHERE paused_until > statement_timestamp() AND (%(partners)s::text[] IS NULL OR partner = ANY (%(partners)s::text[]))
GROUP BY partner ORDER BY partner
