-- The schedule's times up to this one have their rows.
UPDATE retention.schedules SET decided_until = %(until)s
WHERE policy = %(policy)s AND schedule = %(schedule)s AND timezone = %(timezone)s AND decided_until < %(until)s
