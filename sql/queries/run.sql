SELECT run_id, policy, trigger, mode, scheduled_for, as_of, requested_by, reason, evidence, approved_by, settings,
       overrides, status, halt_reason, paused, started_at, finished_at, halted_partners, ended_by, unwritten,
       active_until > statement_timestamp() AS active
FROM retention.runs WHERE run_id = %(run_id)s
