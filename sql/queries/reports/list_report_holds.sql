-- Purpose: Lists the holds that stood at some moment of a report's period, and counts them all.
-- Locks: none.
-- Returns: a row per hold, oldest first, at most `limit`; `total` counts all of them.
SELECT
    h.hold_id, h.partner, h.market, h.game_id,
    -- include shared/shown_user_id.sql
    AS user_id,
    h.round_id,
    (SELECT
        -- include shared/shown_words.sql
    FROM (VALUES (h.reason)) AS t (words)) AS reason,
    h.created_by, h.created_at, h.until, h.released_at, h.released_by, count(*) OVER () AS total
FROM retention.holds h
CROSS JOIN LATERAL (VALUES (h.user_id)) AS u (user_id)
WHERE (%(end)s::timestamptz IS NULL OR h.created_at < %(end)s)
  AND (%(start)s::timestamptz IS NULL OR least(h.until, h.released_at) > %(start)s
       OR num_nonnulls(h.until, h.released_at) = 0)
  AND (%(markets)s::text[] IS NULL OR h.market IS NULL OR h.market = ANY (%(markets)s::text[]))
ORDER BY h.hold_id
LIMIT %(limit)s
