-- Purpose: Seals the plan of a run: writes the digest of its rows, to which the job can add none from then on. A plan
--     that is not written, because a rail halted its run, is sealed once it is written.
-- Locks: the run, until the commit.
-- Returns: the digest; no row for a plan that is not written, or was sealed before.
WITH

-- The run, if this call seals it.
sealed AS (
    SELECT * FROM retention.seal_plan(%(run_id)s)
),

-- Its hash.
leaves AS (
    SELECT
        'run' AS subject, r.run_id::text AS id,
        -- include shared/run_leaf.sql
        AS hash
    FROM sealed r
),

-- For the evidence.
about AS (
    SELECT %(run_id)s::uuid AS run_id, %(replica)s::text AS replica, 'sealed' AS kind, NULL::json AS facts
),

-- include shared/evidence_entry.sql

SELECT plan_digest FROM sealed
