-- Purpose: Deletes the archived cancellations of a month, and their attempts, where others of the month stay.
-- Locks: none that others wait for: nobody changes these rows.
-- Returns: one row, with the number of deleted rows of each table.
WITH

-- Attempts.
gone_attempts AS (
    DELETE FROM retention.attempts
    WHERE cancellation_id BETWEEN %(first)s AND %(last)s AND cancellation_id <> 0
      AND cancellation_id <> ALL (%(kept)s::bigint[])
    RETURNING cancellation_id
),

-- Cancellations.
gone_rounds AS (
    DELETE FROM retention.cancellations
    WHERE id BETWEEN %(first)s AND %(last)s AND id <> ALL (%(kept)s::bigint[])
    RETURNING id
)

SELECT (SELECT count(*) FROM gone_rounds) AS rounds, (SELECT count(*) FROM gone_attempts) AS attempts
