-- The schedule's times up to this one, or (NULL) up to now, are none that could still be missed.
UPDATE retention.schedules SET processed_until = coalesce(%(until)s::timestamptz, statement_timestamp())
WHERE policy = %(policy)s AND schedule = %(schedule)s AND timezone = %(timezone)s
  AND processed_until < coalesce(%(until)s::timestamptz, statement_timestamp())
