-- What there is for a daemon to do, as cheap as it can be asked: it is asked every second.
SELECT
    statement_timestamp() AS now,
    -- Scheduled runs to begin, to help with, to take over, or to go on with after a pause.
    ARRAY(
        SELECT r.run_id FROM retention.runs r
        WHERE r.trigger = 'schedule'
          AND (r.status = 'running'
               OR (r.status = 'planned' AND r.heartbeat_until < statement_timestamp())
               OR (r.paused AND EXISTS (
                       SELECT FROM unnest(r.paused_partners) AS f (partner)
                       WHERE NOT EXISTS (
                           SELECT FROM retention.pauses p
                           WHERE p.resumed_at IS NULL AND (p.partner IS NULL OR p.partner = f.partner)))))
        ORDER BY r.as_of) AS runs,
    EXISTS (
        SELECT FROM retention.runs r
        WHERE NOT r.notified AND (r.status IN ('halted', 'failed', 'finished', 'cancelled', 'awaiting_approval')
                              OR (r.status IN ('planned', 'running') AND r.stalled_at IS NOT NULL)))
    OR EXISTS (
        SELECT FROM retention.deliveries d
        WHERE d.due_at <= statement_timestamp() AND d.target = ANY (%(targets)s::text[])) AS untold
