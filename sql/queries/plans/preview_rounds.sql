-- Purpose: Lists the rounds of a plan and the rounds that it leaves out, one by one. A time that no calendar has is
--     returned as the database writes it, since programs cannot read it as a time.
-- Locks: none.
-- Returns: a row per round, the planned ones first.
WITH

-- include shared/chosen_rounds.sql

SELECT
    partner, market, game_id, user_id, round_id,
    CASE WHEN opened_at >= timestamptz '2000-01-01 00:00:00+00' AND opened_at < timestamptz '9001-01-01 00:00:00+00'
         THEN to_char(opened_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
         ELSE opened_at::text END AS opened_at,
    stake, currency, standing
FROM (SELECT * FROM chosen UNION ALL SELECT * FROM stale WHERE standing <> 'eligible') listed
ORDER BY standing <> 'eligible', listed.opened_at, partner, round_id
