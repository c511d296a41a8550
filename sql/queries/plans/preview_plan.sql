-- What `freeze` would plan, and what stands against the rest, in groups; writes nothing.
WITH stale AS (
    -- include shared/stale_rounds.sql
), chosen AS (
    SELECT * FROM stale WHERE standing = 'eligible' ORDER BY opened_at, partner, round_id LIMIT %(limit)s::bigint
)
SELECT
    'eligible' AS standing, partner, market, game_id, currency, min(opened_at) AS oldest,
    -- include shared/stake_sums.sql
FROM chosen GROUP BY partner, market, game_id, currency
UNION ALL
-- Of what is left out, numbers and times may make no sense.
SELECT standing, partner, market, NULL, NULL, NULL, count(*), NULL, 0
FROM stale WHERE standing <> 'eligible' GROUP BY standing, partner, market
