-- The schedule's times up to this one, or (NULL) up to now, are none that could still be missed.
UPDATE retention.schedules SET decided_until = coalesce(%(until)s::timestamptz, statement_timestamp())
WHERE policy = %(policy)s AND schedule = %(schedule)s AND timezone = %(timezone)s
  AND decided_until < coalesce(%(until)s::timestamptz, statement_timestamp())
