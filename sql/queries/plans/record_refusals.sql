-- Purpose: Leaves evidence of the rounds that a person named and a targeted run refused, beside the run's hash.
-- Locks: none.
-- Returns: nothing.
WITH

-- The run.
leaves AS (
    SELECT
        'run' AS subject, r.run_id::text AS id,
        -- include shared/run_leaf.sql
        AS hash
    FROM retention.runs r WHERE r.run_id = %(run_id)s
),

-- The refused rounds, without users.
about AS (
    SELECT %(run_id)s::uuid AS run_id, %(replica)s::text AS replica, 'refused' AS kind, %(facts)s::jsonb AS facts
),

-- include shared/evidence_entry.sql

SELECT FROM about WHERE false
