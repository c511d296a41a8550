-- What this run has to call or to ask again by now, its own rounds or what it took up of earlier runs'; without those that
-- were tried before, where it leaves them.
c.partner = %(partner)s AND c.needs_follow_up AND c.due_at <= statement_timestamp()
AND coalesce(c.adopted_by_run, c.run_id) = %(run_id)s
AND NOT (%(leave_tried)s AND (c.tried_before OR c.run_id <> %(run_id)s))
