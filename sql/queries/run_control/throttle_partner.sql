-- Purpose: Obeys a vendor's 429, or 503 with Retry-After, in all replicas: pauses the partner, and halves its rate. One
--     burst of such replies halves once. The reply does not say whose limit it means. When two partners of a rate group
--     get it within `together` seconds, it means the limit that they share, and the group's rate is halved too: one
--     partner with a lower limit of its own never slows the others down.
-- Locks: the partner's slots, then its rate group's, until the commit.
-- Returns: the group's new rate, where it is halved.
WITH

-- The partner's rows.
slowed AS (
    UPDATE retention.partner_state s
    SET rate = CASE WHEN s.paused_until > statement_timestamp()
                         OR s.rate_at > statement_timestamp() - interval '1 second' AND s.rate IS NOT NULL
                    THEN s.rate ELSE greatest(coalesce(s.rate, configured.rate) / 2, configured.rate / 64) END,
        rate_at = statement_timestamp(),
        paused_until = greatest(s.paused_until, statement_timestamp() + make_interval(secs => %(pause)s))
    FROM (VALUES ('cancel', %(rate)s::float8), ('status', %(question_rate)s::float8)) AS configured (kind, rate)
    WHERE s.partner = %(partner)s AND s.kind = configured.kind
    RETURNING s.kind
),

-- Counts the partner's rows, so that all of them are locked before the group.
locked_group AS (
    SELECT
        g.name,
        g.throttled_partner <> %(partner)s AND g.throttled_at > statement_timestamp()
            - make_interval(secs => %(together)s)
            AND NOT (g.rate IS NOT NULL AND g.rate_at > statement_timestamp() - interval '1 second') AS shared,
        greatest(coalesce(g.rate, %(group_rate)s) / 2, %(group_rate)s::float8 / 64) AS halved
    FROM retention.rate_groups g
    WHERE g.name = %(rate_group)s AND (SELECT count(*) FROM slowed) > 0
    FOR UPDATE
),

-- The group's row.
noted AS (
    UPDATE retention.rate_groups g
    SET throttled_partner = %(partner)s, throttled_at = statement_timestamp(),
        rate = CASE WHEN l.shared THEN l.halved ELSE g.rate END,
        rate_at = CASE WHEN l.shared THEN statement_timestamp() ELSE g.rate_at END
    FROM locked_group l WHERE g.name = l.name
    RETURNING CASE WHEN l.shared THEN l.halved END AS rate
)

SELECT rate FROM noted WHERE rate IS NOT NULL
