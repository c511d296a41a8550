-- Times that passed without a run, on record as runs that never were. A time that has a run already is left alone.
INSERT INTO retention.runs
    (run_id, policy, trigger, mode, scheduled_for, as_of, requested_by, settings, status, halt_reason, finished_at)
SELECT gen_random_uuid(), %(policy)s, 'schedule', %(mode)s, t.time, statement_timestamp(), %(requested_by)s, %(settings)s,
       'cancelled', %(reason)s, statement_timestamp()
FROM unnest(%(times)s::timestamptz[]) AS t (time)
ON CONFLICT (policy, scheduled_for) DO NOTHING
RETURNING scheduled_for
