-- Fragment of a SET: the outcome of a row `c` for which nothing more is sent. A doubt stays one, and waits for a later
-- run; everything else is not sent.
state = CASE WHEN c.may_have_taken_effect OR c.refusal_pending_probe THEN 'in_doubt' ELSE 'not_sent' END,
settled_at = CASE WHEN NOT (c.may_have_taken_effect OR c.refusal_pending_probe) THEN statement_timestamp() END,
needs_follow_up = c.may_have_taken_effect OR c.refusal_pending_probe, due_at = NULL
