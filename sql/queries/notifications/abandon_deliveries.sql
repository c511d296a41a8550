-- What was tried for long enough is given up instead of being tried again. So is what nobody here knows the target of.
UPDATE retention.deliveries d
SET due_at = NULL,
    last_error = coalesce(d.last_error, CASE WHEN d.tries = 0 THEN 'no such target is configured' ELSE 'every try was cut short' END)
FROM retention.notifications n, retention.runs r
WHERE d.due_at <= statement_timestamp() AND (d.tries > 0 OR d.target <> ALL (%(targets)s::text[]))
  AND n.notification_id = d.notification_id AND r.run_id = n.run_id
  AND n.created_at <= statement_timestamp() - make_interval(secs => %(patience)s)
RETURNING d.notification_id, d.target, d.tries, n.event, n.run_id, r.policy, n.body, d.last_error
