-- Fragment: whether this run has to send for `c` again by now. `c` is the run's own row, or one that it adopted; with
-- `leave_tried`, rounds that an earlier run has tried are left out.
c.partner = %(partner)s AND c.id >= %(first_id)s AND c.needs_follow_up AND c.due_at <= statement_timestamp()
AND coalesce(c.adopted_by_run, c.run_id) = %(run_id)s
AND NOT (%(leave_tried)s AND (c.tried_before OR c.run_id <> %(run_id)s))
