-- How many requests per second a partner may get in a lane just now: after a 429 fewer than configured, and more again as
-- time passes.
SELECT partner, lane, least(%(rate)s::float8,
    coalesce(rate, %(rate)s) + %(rate)s * %(recovery)s * extract(epoch FROM statement_timestamp() - rate_at)) AS rate
FROM retention.partner_state
WHERE partner = %(partner)s AND lane = %(lane)s
