-- Purpose: Records who overrode a rail of a run, when, and with which text.
-- Locks: the run, until the commit.
-- Returns: the run's id.
WITH

-- The run with the override.
overridden AS (
    UPDATE retention.runs
    SET overrides = overrides || jsonb_build_array(jsonb_build_object(
            'rail', %(rail)s::text, 'text', %(text)s::text, 'by', %(by)s::text, 'at', to_char(
                statement_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')))
    WHERE run_id = %(run_id)s
    RETURNING *
),

-- The run's new hash.
leaves AS (
    SELECT
        'run' AS subject, r.run_id::text AS id,
        -- include shared/run_leaf.sql
        AS hash
    FROM overridden r
),

-- For the evidence.
about AS (
    SELECT
        %(run_id)s::uuid AS run_id, NULL::text AS replica, 'overridden' AS kind,
        json_build_object('by', %(by)s::text, 'rail', %(rail)s::text, 'note', %(text)s::text) AS facts
),

-- include shared/evidence_entry.sql

SELECT run_id FROM overridden
