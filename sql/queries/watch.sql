-- A sign of life for the run, and what has become of it meanwhile.
WITH alive AS (
    UPDATE retention.runs SET active_until = greatest(active_until, statement_timestamp() + make_interval(secs => %(beat)s))
    WHERE run_id = %(run_id)s AND status = 'running'
    RETURNING run_id
)
SELECT
    r.status, r.halt_reason, r.halted_partners, r.deadline_at <= statement_timestamp() AS overdue,
    (SELECT 'paused by ' || p.paused_by || ': ' || p.reason || coalesce(' (' || p.partner || ')', '')
     FROM retention.pauses p
     WHERE p.resumed_at IS NULL AND (p.partner IS NULL OR p.partner = ANY (%(partners)s::text[]))
     ORDER BY p.pause_id LIMIT 1) AS paused,
    ARRAY(SELECT DISTINCT s.partner FROM retention.partner_state s
          WHERE s.partner = ANY (%(partners)s::text[]) AND s.paused_until > statement_timestamp()) AS throttled,
    pg_postmaster_start_time() AS server_started
FROM retention.runs r WHERE r.run_id = %(run_id)s
