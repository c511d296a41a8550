-- Purpose: Registers the schedule of a policy or a report. A new or changed one begins now: none of its times can be
--     missed.
-- Locks: the schedule, until the commit.
-- Returns: until when its times are processed, and the time.
INSERT INTO retention.schedules AS s (kind, name, schedule, timezone, processed_until)
VALUES (%(kind)s, %(name)s, %(schedule)s, %(timezone)s, statement_timestamp())
ON CONFLICT (kind, name) DO UPDATE
SET schedule = excluded.schedule, timezone = excluded.timezone,
    processed_until = CASE WHEN (s.schedule, s.timezone) = (excluded.schedule, excluded.timezone)
                           THEN s.processed_until ELSE excluded.processed_until END
RETURNING processed_until, statement_timestamp() AS now
