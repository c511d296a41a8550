-- Purpose: Sends the heartbeat of a process at work on a run, and reads the run's state. A late heartbeat never
--     shortens `heartbeat_until`, and a clock that was wrong for a moment does not leave it far ahead.
-- Locks: the run, until the commit.
-- Returns: one row; none where the ledger has lost the run. `waits`: until when each partner gets no slot, since the
--     vendor has paused it, or since all earlier slots are taken: its own, or those of its rate group, which is named.
--     `new_server_for`: the partners for which no process has waited yet since the server's start.
WITH

-- Only a running run has heartbeats.
alive AS (
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
    r.status, r.halt_reason, r.halted_partners, r.send_until <= statement_timestamp() AS overdue,
    (SELECT json_agg(json_build_array(p.partner, p.paused_by, p.reason) ORDER BY p.pause_id)
     FROM retention.pauses p
     WHERE
         -- include shared/covering_pause.sql
    ) AS pauses,
    ARRAY(SELECT DISTINCT s.partner FROM retention.partner_state s
          WHERE s.partner = ANY (%(partners)s::text[]) AND s.paused_until > statement_timestamp()) AS throttled,
    pg_postmaster_start_time() AS server_started,
    ARRAY(SELECT DISTINCT s.partner FROM retention.partner_state s
          WHERE s.partner = ANY (%(partners)s::text[])
            AND s.server_started <> pg_postmaster_start_time()) AS new_server_for,
    (SELECT json_agg(json_build_array(
                s.partner, s.kind, s.paused_until > statement_timestamp(),
                to_char(greatest(s.paused_until, s.next_slot, g.next_slot) AT TIME ZONE 'UTC',
                        'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
                CASE WHEN g.next_slot > s.next_slot THEN g.name END)
            ORDER BY s.kind)
     FROM retention.partner_state s LEFT JOIN retention.rate_groups g ON g.name = s.rate_group
     WHERE s.partner = ANY (%(partners)s::text[])
       AND greatest(s.paused_until, s.next_slot, g.next_slot) > statement_timestamp() + interval '2 seconds') AS waits
FROM retention.runs r WHERE r.run_id = %(run_id)s
