-- Purpose: Records missed times as cancelled runs. A time that has a run stays as it is.
-- Locks: the policy's scheduled times, until the commit.
-- Returns: the times that this process recorded, also by an earlier try whose answer was lost.
WITH

-- One run per time.
recorded AS (
    INSERT INTO retention.runs
        (run_id, policy, trigger, mode, scheduled_for, as_of, requested_by, settings, status, halt_reason, finished_at,
         ended_by_process)
    SELECT gen_random_uuid(), %(policy)s, 'schedule', %(mode)s, t.time, statement_timestamp(), %(requested_by)s,
           %(settings)s, 'cancelled', %(reason)s, statement_timestamp(), %(replica)s
    FROM unnest(%(times)s::timestamptz[]) AS t (time)
    ON CONFLICT (policy, scheduled_for) DO NOTHING
    RETURNING *
),

-- Their hashes.
leaves_by_run AS (
    SELECT
        r.run_id, 'run' AS subject, r.run_id::text AS id,
        -- include shared/run_leaf.sql
        AS hash
    FROM recorded r
),

-- For the evidence.
about AS (
    SELECT %(replica)s::text AS replica, 'missed' AS kind, NULL::json AS facts
),

-- include shared/evidence_by_run.sql

SELECT scheduled_for FROM recorded
UNION ALL
SELECT scheduled_for FROM retention.runs
WHERE policy = %(policy)s AND scheduled_for = ANY (%(times)s::timestamptz[])
  AND status = 'cancelled' AND ended_by_process = %(replica)s
