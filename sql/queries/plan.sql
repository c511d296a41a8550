-- What `freeze` would plan, and what stands against the rest, in groups; writes nothing.
WITH stale AS (
    -- include stale_rounds.sql
), chosen AS (
    SELECT * FROM stale WHERE standing = 'eligible' ORDER BY opened_at, partner, round_id LIMIT %(limit)s::bigint
)
SELECT 'eligible' AS standing, partner, market, game_id, currency, count(*) AS rounds, sum(stake) AS stake,
       min(opened_at) AS oldest
FROM chosen GROUP BY partner, market, game_id, currency
UNION ALL
SELECT standing, partner, market, game_id, currency, count(*), sum(stake), min(opened_at)
FROM stale WHERE standing <> 'eligible' GROUP BY standing, partner, market, game_id, currency
