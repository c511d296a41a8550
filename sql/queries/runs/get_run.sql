SELECT run_id, policy, trigger, mode, scheduled_for, as_of, requested_by, reason, evidence, approved_by, settings,
       overrides, status, halt_reason, paused, started_at, finished_at, halted_partners, ended_by, unwritten_plan AS unwritten,
       coalesce(progressed_at, started_at, as_of) AS progressed_at, stalled_at,
       heartbeat_until > statement_timestamp() AS active
FROM retention.runs WHERE run_id = %(run_id)s
