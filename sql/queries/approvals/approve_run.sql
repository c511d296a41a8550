-- Purpose: Records that a person approves the plan of a waiting run. The function decides by the rows, under the run's
--     lock, whether the approval counts.
-- Locks: the run, until the commit.
-- Returns: the verdict, and the run's state.
WITH

-- The verdict, and the run.
decision AS MATERIALIZED (
    SELECT d.verdict, d.decided
    FROM retention.approve_run(%(run_id)s, %(by)s, %(digest)s, %(note)s) d
),

-- The run's new hash.
leaves AS (
    SELECT
        'run' AS subject, r.run_id::text AS id,
        -- include shared/run_leaf.sql
        AS hash
    FROM (SELECT (d.decided).* FROM decision d WHERE d.verdict = 'approved') r
),

-- For the evidence.
about AS (
    SELECT
        %(run_id)s::uuid AS run_id, %(replica)s::text AS replica, 'approved' AS kind,
        json_build_object('by', %(by)s::text, 'note', %(note)s::text, 'digest', (d.decided).plan_digest) AS facts
    FROM decision d
),

-- include shared/evidence_entry.sql

SELECT verdict FROM decision
