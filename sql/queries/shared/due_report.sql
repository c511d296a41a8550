-- Fragment: whether the report `p` can be made now: its pause is over, or its maker's lease.
p.status IN ('planned', 'writing') AND p.due_at <= statement_timestamp()
