-- Purpose: Obeys a vendor's 429, or 503 with Retry-After, in all replicas: pauses the partner, and halves its rate. One
--     burst of such replies halves once.
-- Locks: the partner's slots, until the commit.
-- Returns: nothing.
UPDATE retention.partner_state s
SET rate = CASE WHEN s.paused_until > statement_timestamp()
                     OR s.rate_at > statement_timestamp() - interval '1 second' AND s.rate IS NOT NULL
                THEN s.rate ELSE greatest(coalesce(s.rate, configured.rate) / 2, configured.rate / 64) END,
    rate_at = statement_timestamp(),
    paused_until = greatest(s.paused_until, statement_timestamp() + make_interval(secs => %(pause)s))
FROM (VALUES ('cancel', %(rate)s::float8), ('status', %(question_rate)s::float8)) AS configured (kind, rate)
WHERE s.partner = %(partner)s AND s.kind = configured.kind
