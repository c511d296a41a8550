-- Fragment: whether a probe sent within `told_within` seconds said that the round of `c` is in progress. A wrong clock
-- has written times that lie ahead.
c.in_progress_at BETWEEN statement_timestamp() - make_interval(secs => %(told_within)s)
    AND statement_timestamp() + interval '2 seconds'
