-- Purpose: Abandons deliveries that were tried for `patience` seconds, and deliveries that waited as long for a target
--     that no configuration has.
-- Locks: the abandoned deliveries, until the commit.
-- Returns: a row per abandoned delivery.
UPDATE retention.deliveries d
SET due_at = NULL,
    last_error = coalesce(d.last_error, CASE WHEN d.tries = 0 THEN %(no_target)s ELSE %(cut_short)s END)
FROM retention.notifications n
LEFT JOIN retention.runs r ON r.run_id = n.run_id
LEFT JOIN retention.reports p ON p.report_id = n.report_id
WHERE d.due_at <= statement_timestamp() AND (d.tries > 0 OR d.target <> ALL (%(targets)s::text[]))
  AND n.notification_id = d.notification_id
  AND n.created_at <= statement_timestamp() - make_interval(secs => %(patience)s)
RETURNING d.notification_id, d.target, d.tries, n.event, n.run_id, n.report_id,
    coalesce(r.policy, p.name) AS subject, n.body, d.last_error
