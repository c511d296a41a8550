-- A sign of life for the run, and what has become of it meanwhile. `heartbeat_until` never goes back by a sign that was held
-- up, nor stays where a clock that was wrong for a moment has put it.
WITH alive AS (
    UPDATE retention.runs
    SET heartbeat_until = least(greatest(heartbeat_until, statement_timestamp() + make_interval(secs => %(beat)s)),
                             statement_timestamp() + make_interval(secs => 2 * %(beat)s)),
        progressed_at = CASE WHEN %(progressed)s THEN statement_timestamp() ELSE progressed_at END,
        stalled_at = CASE WHEN NOT %(progressed)s THEN stalled_at END
    WHERE run_id = %(run_id)s AND status = 'running'
    RETURNING run_id
)
SELECT
    statement_timestamp() AS now,
    r.stalled_at IS NULL AND NOT %(progressed)s AND
        -- include shared/stalled_run.sql
        AS stalled,
    r.status, r.halt_reason, r.halted_partners, r.deadline_at <= statement_timestamp() AS overdue,
    (SELECT json_agg(json_build_array(p.partner, p.paused_by, p.reason) ORDER BY p.pause_id)
     FROM retention.pauses p
     WHERE p.resumed_at IS NULL AND (p.partner IS NULL OR p.partner = ANY (%(partners)s::text[]))) AS pauses,
    ARRAY(SELECT DISTINCT s.partner FROM retention.partner_state s
          WHERE s.partner = ANY (%(partners)s::text[]) AND s.paused_until > statement_timestamp()) AS throttled,
    pg_postmaster_start_time() AS server_started,
    -- Until when partners are left alone, by lane: as the vendor asked, or because all earlier slots are given away.
    (SELECT json_agg(json_build_array(
                s.partner, s.kind, s.paused_until > statement_timestamp(),
                to_char(greatest(s.paused_until, s.next_slot) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')) ORDER BY s.kind)
     FROM retention.partner_state s
     WHERE s.partner = ANY (%(partners)s::text[])
       AND greatest(s.paused_until, s.next_slot) > statement_timestamp() + interval '2 seconds') AS waits
FROM retention.runs r WHERE r.run_id = %(run_id)s
