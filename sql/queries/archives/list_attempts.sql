-- Purpose: Lists the attempts of a month that leave the ledger: all but those of the cancellations `kept`. Attempts of
--     lost rounds (0) stay.
-- Locks: none.
-- Returns: a row per attempt, with the text that evidence hashes, in the order of their cancellations.
SELECT
    a.uuid::text AS uuid, a.cancellation_id, a.run_id::text AS run_id, a.kind, a.replica, a.claimed_at, a.sent_at,
    a.replied_at, a.http_status::bigint AS http_status, a.error_code, a.outcome, a.detail,
    -- include shared/attempt_text.sql
    AS text
FROM retention.attempts a
WHERE a.cancellation_id BETWEEN %(first)s AND %(last)s AND a.cancellation_id <> 0
  AND a.cancellation_id <> ALL (%(kept)s::bigint[])
ORDER BY a.cancellation_id, a.uuid
