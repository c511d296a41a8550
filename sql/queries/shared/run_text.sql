-- Fragment: the text of the run `r` that evidence hashes. Columns that serve the work alone, such as its heartbeat, are
-- left out. Times are JSON's, in UTC: unlike those of to_char, each time has another text, endless ones too.
to_json(ARRAY[
    'run', r.run_id::text, r.policy, r.trigger, r.mode,
    to_json(r.scheduled_for AT TIME ZONE 'UTC') #>> '{}',
    to_json(r.as_of AT TIME ZONE 'UTC') #>> '{}', r.requested_by, r.requested_login, r.reason,
    r.evidence, r.settings::text, r.overrides::text, r.status, r.halt_reason,
    to_json(r.started_at AT TIME ZONE 'UTC') #>> '{}',
    to_json(r.finished_at AT TIME ZONE 'UTC') #>> '{}', r.plan_digest, r.approved_by,
    to_json(r.approved_at AT TIME ZONE 'UTC') #>> '{}', r.approved_login,
    to_json(r.approval_expires_at AT TIME ZONE 'UTC') #>> '{}',
    to_json(r.approval_used_at AT TIME ZONE 'UTC') #>> '{}', r.rejected_by,
    to_json(r.rejected_at AT TIME ZONE 'UTC') #>> '{}', r.decision_note
])::text
