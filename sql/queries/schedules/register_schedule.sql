-- Up to when a schedule's times are decided. One that is new, or reads otherwise than before, begins now.
INSERT INTO retention.schedules AS s (policy, schedule, timezone, processed_until)
VALUES (%(policy)s, %(schedule)s, %(timezone)s, statement_timestamp())
ON CONFLICT (policy) DO UPDATE
SET schedule = excluded.schedule, timezone = excluded.timezone,
    processed_until = CASE WHEN (s.schedule, s.timezone) = (excluded.schedule, excluded.timezone)
                         THEN s.processed_until ELSE excluded.processed_until END
RETURNING processed_until, statement_timestamp() AS now
