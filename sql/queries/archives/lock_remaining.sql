-- Purpose: Keeps rows as they are until the commit, so that the newest hash of each stays the newest.
-- Locks: these rows, shared, until the commit.
-- Returns: one row, with their number.
WITH

-- Runs.
locked_runs AS (
    SELECT FROM retention.runs WHERE run_id = ANY (%(run)s::text[]::uuid[]) FOR SHARE
),

-- Cancellations.
locked_rounds AS (
    SELECT FROM retention.cancellations WHERE id = ANY (%(cancellation)s::text[]::bigint[]) FOR SHARE
),

-- Attempts.
locked_attempts AS (
    SELECT FROM retention.attempts WHERE uuid = ANY (%(attempt)s::text[]::uuid[]) FOR SHARE
),

-- Holds.
locked_holds AS (
    SELECT FROM retention.holds WHERE hold_id = ANY (%(hold)s::text[]::bigint[]) FOR SHARE
),

-- Pauses.
locked_pauses AS (
    SELECT FROM retention.pauses WHERE pause_id = ANY (%(pause)s::text[]::bigint[]) FOR SHARE
)

SELECT
    (SELECT count(*) FROM locked_runs) + (SELECT count(*) FROM locked_rounds) + (SELECT count(*) FROM locked_attempts)
    + (SELECT count(*) FROM locked_holds) + (SELECT count(*) FROM locked_pauses) AS rows
