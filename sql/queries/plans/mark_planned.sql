-- The plan is there, however long it took: from here on its process has a beat to begin, before the run counts as
-- abandoned.
UPDATE retention.runs SET heartbeat_until = statement_timestamp() + make_interval(secs => %(beat)s)
WHERE run_id = %(run_id)s AND status = 'planned'
