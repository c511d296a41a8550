-- Purpose: Finds the work of a daemon: scheduled and approved runs to start, join, resume after a dead process or after
--     a pause, notifications to send, and reports to make. Daemons ask each second, so this is cheap.
-- Locks: none.
-- Returns: one row: the time, the runs, oldest first, whether a notification is due, and whether a report is.
SELECT
    statement_timestamp() AS now,
    ARRAY(
        SELECT r.run_id FROM retention.runs r
        WHERE (r.trigger = 'schedule' OR r.approved_at IS NOT NULL)
          AND (r.status = 'running'
               OR (r.approved_at IS NOT NULL AND
                   -- include shared/waits_for_approval.sql
               )
               OR (r.status = 'planned' AND r.heartbeat_until < statement_timestamp())
               OR (r.paused AND EXISTS (
                       SELECT FROM unnest(r.paused_partners) AS f (partner)
                       WHERE NOT EXISTS (
                           SELECT FROM retention.pauses p
                           WHERE p.resumed_at IS NULL AND (p.partner IS NULL OR p.partner = f.partner)))))
        ORDER BY r.as_of) AS runs,
    EXISTS (
        SELECT FROM retention.runs r
        WHERE
            -- include shared/notifiable_run.sql
    )
    OR EXISTS (
        SELECT FROM retention.deliveries d
        WHERE d.due_at <= statement_timestamp() AND d.target = ANY (%(targets)s::text[]))
    OR EXISTS (
        SELECT FROM retention.reports p
        WHERE
            -- include shared/notifiable_report.sql
    ) AS to_notify,
    EXISTS (
        SELECT FROM retention.reports p
        WHERE
            -- include shared/due_report.sql
    ) AS report_due
