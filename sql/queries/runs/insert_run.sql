-- Purpose: Makes a run. A scheduled time runs once: where it has a run, none is made.
-- Locks: the policy's scheduled time, until the commit.
-- Returns: the run's id, or no row.
WITH

-- The run.
made AS (
    INSERT INTO retention.runs
        (run_id, policy, trigger, mode, scheduled_for, as_of, requested_by, reason, evidence, settings, status,
         halt_reason, started_at, finished_at, send_until, unwritten_plan)
    VALUES (
        %(run_id)s, %(policy)s, %(trigger)s, %(mode)s, %(scheduled_for)s, %(as_of)s, %(requested_by)s, %(reason)s,
        %(evidence)s, %(settings)s, %(status)s, %(halt_reason)s,
        CASE WHEN %(status)s IN ('running', 'finished') THEN %(as_of)s::timestamptz END,
        CASE WHEN %(status)s IN ('finished', 'failed') THEN %(as_of)s::timestamptz END,
        'infinity', %(unwritten_plan)s)
    ON CONFLICT (policy, scheduled_for) DO NOTHING
    RETURNING *
),

-- Its hash.
leaves AS (
    SELECT
        'run' AS subject, r.run_id::text AS id,
        -- include shared/run_leaf.sql
        AS hash
    FROM made r
),

-- For the evidence.
about AS (
    SELECT
        %(run_id)s::uuid AS run_id, %(replica)s::text AS replica,
        CASE %(trigger)s::text WHEN 'targeted' THEN 'requested' ELSE 'planned' END AS kind,
        json_build_object(
            'by', %(requested_by)s::text, 'note', %(reason)s::text, 'evidence', %(evidence)s::text) AS facts
),

-- include shared/evidence_entry.sql

SELECT run_id FROM made
