-- Purpose: Counts the stale rounds of a period by what became of them, and the rows of the view that no plan can take.
-- Locks: none.
-- Returns: a row per market and currency.
WITH

-- include shared/pending_rounds.sql
,

-- Rows of the view that no plan can take, now, where their age may mean that they are stale.
left_out AS (
    SELECT CASE WHEN btrim(v.market) <> '' THEN v.market END AS market, count(*) AS rounds
    FROM (
        SELECT
            o.partner, o.market, o.opened_at,
            -- include shared/broken_row.sql
            AS broken,
            count(*) OVER (PARTITION BY o.round_id COLLATE "C", o.partner COLLATE "C") AS copies
        FROM retention.open_rounds o
    ) v
    WHERE (v.opened_at < %(end)s::timestamptz - (SELECT min(s.open_longer_than) FROM scopes s)
           OR v.opened_at IS NULL OR v.opened_at >= timestamptz '9001-01-01 00:00:00+00')
      -- Partners of other policies alone are left to those.
      AND (v.partner = ANY (%(other_partners)s::text[])) IS NOT TRUE
      AND (%(markets)s::text[] IS NULL OR v.market = ANY (%(markets)s::text[])
           OR v.market IS NULL OR btrim(v.market) = '')
      AND (v.broken IS NOT NULL OR v.copies > 1
           OR NOT EXISTS (SELECT FROM scopes s WHERE v.partner = ANY (s.partners)))
    GROUP BY 1
)

SELECT
    t.market, t.currency, sum(t.at_begin)::bigint AS at_begin, sum(t.became_stale)::bigint AS became_stale,
    sum(t.completed)::bigint AS completed, sum(t.cancelled)::bigint AS cancelled, sum(t.gone)::bigint AS gone,
    sum(t.at_end)::bigint AS at_end, coalesce(sum(t.at_begin_stake), 0) AS at_begin_stake,
    coalesce(sum(t.at_end_stake), 0) AS at_end_stake, sum(t.left_out)::bigint AS left_out
FROM (
    SELECT
        p.market, p.stake_currency AS currency, count(*) FILTER (WHERE p.at_begin) AS at_begin,
        count(*) FILTER (WHERE NOT p.at_begin) AS became_stale,
        count(*) FILTER (WHERE p.became = 'completed') AS completed,
        count(*) FILTER (WHERE p.became = 'cancelled') AS cancelled,
        count(*) FILTER (WHERE p.became = 'gone') AS gone,
        count(*) FILTER (WHERE p.at_end) AS at_end,
        sum(p.stake) FILTER (WHERE p.at_begin) AS at_begin_stake,
        sum(p.stake) FILTER (WHERE p.at_end) AS at_end_stake,
        0 AS left_out
    FROM pending p
    GROUP BY p.market, p.stake_currency
    UNION ALL
    SELECT l.market, NULL, 0, 0, 0, 0, 0, 0, NULL, NULL, l.rounds FROM left_out l
) t
GROUP BY t.market, t.currency
ORDER BY t.market COLLATE "C", t.currency COLLATE "C"
