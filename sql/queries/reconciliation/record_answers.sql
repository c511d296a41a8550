-- Purpose: Records the answers to questions about single rounds. Nothing else of the ledger changes.
-- Locks: the attempts, until the commit.
-- Returns: the attempts.
WITH

-- The answers.
answer AS (
    SELECT * FROM json_to_recordset(%(replies)s::json) AS r (
        uuid uuid, sent_at timestamptz, replied_at timestamptz, http_status smallint, error_code text, outcome text,
        detail text)
),

-- Each answer is written to its attempt.
noted AS (
    UPDATE retention.attempts a
    SET sent_at = r.sent_at, replied_at = r.replied_at, http_status = r.http_status, error_code = r.error_code,
        outcome = r.outcome, detail = r.detail
    FROM answer r WHERE a.uuid = r.uuid AND a.outcome IS NULL
    RETURNING a.*
),

-- Their hashes.
leaves_by_run AS (
    SELECT
        a.run_id, 'attempt' AS subject, a.uuid::text AS id,
        -- include shared/attempt_leaf.sql
        AS hash
    FROM noted a
),

-- For the evidence.
about AS (
    SELECT %(replica)s::text AS replica, 'asked' AS kind, NULL::json AS facts
),

-- include shared/evidence_by_run.sql

SELECT uuid FROM noted
