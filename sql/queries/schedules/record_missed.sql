-- Times that passed without a run, on record as runs that never were. A time that has a run already is left alone.
-- Returns those that this process recorded, also where it was an earlier try whose answer was lost.
WITH recorded AS (
    INSERT INTO retention.runs
        (run_id, policy, trigger, mode, scheduled_for, as_of, requested_by, settings, status, halt_reason, finished_at, ended_by)
    SELECT gen_random_uuid(), %(policy)s, 'schedule', %(mode)s, t.time, statement_timestamp(), %(requested_by)s,
           %(settings)s, 'cancelled', %(reason)s, statement_timestamp(), %(replica)s
    FROM unnest(%(times)s::timestamptz[]) AS t (time)
    ON CONFLICT (policy, scheduled_for) DO NOTHING
    RETURNING scheduled_for
)
SELECT scheduled_for FROM recorded
UNION ALL
SELECT scheduled_for FROM retention.runs
WHERE policy = %(policy)s AND scheduled_for = ANY (%(times)s::timestamptz[])
  AND status = 'cancelled' AND ended_by = %(replica)s
