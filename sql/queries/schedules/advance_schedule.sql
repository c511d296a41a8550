-- Purpose: Marks the schedule's times up to `until` (NULL: now) as processed.
-- Locks: the schedule, until the commit.
-- Returns: nothing.
UPDATE retention.schedules SET processed_until = coalesce(%(until)s::timestamptz, statement_timestamp())
WHERE kind = %(kind)s AND name = %(name)s AND schedule = %(schedule)s AND timezone = %(timezone)s
  AND processed_until < coalesce(%(until)s::timestamptz, statement_timestamp())
