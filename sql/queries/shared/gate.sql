-- Fragment: one row while requests of one kind may be sent to a partner for a run, and else no row.
SELECT
    s.partner, s.kind,
    -- include shared/view_moment.sql
    AS as_of
FROM (SELECT count(*) FROM durable) d, retention.partner_state s, retention.runs r
WHERE s.partner = %(partner)s AND s.kind = %(kind)s
  AND s.paused_until <= statement_timestamp()
  AND s.next_slot <= statement_timestamp() + make_interval(secs => %(horizon)s)
  AND NOT EXISTS (
      SELECT FROM retention.rate_groups g
      WHERE g.name = %(rate_group)s AND g.next_slot > statement_timestamp() + make_interval(secs => %(horizon)s))
  AND r.run_id = %(run_id)s AND r.status = 'running' AND s.partner <> ALL (r.halted_partners)
  AND r.send_until > statement_timestamp()
  -- Another server, or one that has crashed, may lack claims. Their processes record them again first, and one process
  -- waits for the length of a lease, and records that, before the first claim on it.
  AND pg_postmaster_start_time() = coalesce(%(known_server)s::timestamptz, pg_postmaster_start_time())
  AND pg_postmaster_start_time() = s.server_started
  AND NOT EXISTS (
      SELECT FROM retention.pauses p
      WHERE p.resumed_at IS NULL AND (p.partner IS NULL OR p.partner = s.partner))
