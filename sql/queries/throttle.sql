-- A partner asked to be left alone: every replica obeys, and goes on at half the rate. One burst of refusals halves once.
UPDATE retention.partner_state
SET rate = CASE WHEN paused_until > statement_timestamp() OR rate_at > statement_timestamp() - interval '1 second' AND rate IS NOT NULL
                THEN rate ELSE greatest(coalesce(rate, %(rate)s::float8) / 2, %(rate)s / 64) END,
    rate_at = statement_timestamp(),
    paused_until = greatest(paused_until, statement_timestamp() + make_interval(secs => %(pause)s))
WHERE partner = %(partner)s
