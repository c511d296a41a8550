-- The rounds of a plan, and those that are left out of it, one by one, the planned ones first. A time that makes no sense
-- is told as the database has it: no calendar of a program does.
WITH stale AS (
    -- include shared/stale_rounds.sql
), planned AS (
    SELECT * FROM stale WHERE standing = 'eligible' ORDER BY opened_at, partner, round_id LIMIT %(limit)s::bigint
)
SELECT
    partner, market, game_id, user_id, round_id,
    CASE WHEN opened_at >= timestamptz '2000-01-01 00:00:00+00' AND opened_at < timestamptz '9001-01-01 00:00:00+00'
         THEN to_char(opened_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
         ELSE opened_at::text END AS opened_at,
    stake, currency, standing
FROM (SELECT * FROM planned UNION ALL SELECT * FROM stale WHERE standing <> 'eligible') listed
ORDER BY standing <> 'eligible', listed.opened_at, partner, round_id
