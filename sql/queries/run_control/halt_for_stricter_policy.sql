-- Purpose: Halts a run whose policy has become stricter, for all replicas. A paused run no longer goes on by itself.
-- Locks: the run, until the commit.
-- Returns: the run's id; no row where it was halted for another reason before.
WITH

-- The run.
halted AS (
    UPDATE retention.runs
    SET status = 'halted', halt_reason = %(reason)s, paused = false, paused_partners = '{}', notified = false,
        ended_by = %(replica)s
    WHERE run_id = %(run_id)s AND (status IN ('planned', 'running', 'awaiting_approval') OR paused)
    RETURNING *
),

-- Its new hash.
leaves AS (
    SELECT
        'run' AS subject, r.run_id::text AS id,
        -- include shared/run_leaf.sql
        AS hash
    FROM halted r
),

-- For the evidence.
about AS (
    SELECT %(run_id)s::uuid AS run_id, %(replica)s::text AS replica, 'halted' AS kind, NULL::json AS facts
),

-- include shared/evidence_entry.sql

SELECT run_id FROM halted
