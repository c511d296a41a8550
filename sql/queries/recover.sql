-- What was claimed and never settled is in doubt: its request may have left.
WITH expired AS (
    SELECT c.id, c.attempt_uuid, c.tries, c.probes, a.kind
    FROM retention.cancellations c JOIN retention.attempts a ON a.uuid = c.attempt_uuid
    WHERE c.partner = %(partner)s AND c.state = 'claimed' AND c.lease_until < statement_timestamp()
      AND (c.run_id = ANY (%(run_ids)s::uuid[]) OR c.unsettled)
    FOR UPDATE OF c SKIP LOCKED
), lost AS (
    UPDATE retention.attempts a
    SET outcome = 'in_doubt', detail = 'the process that claimed it never recorded a reply'
    FROM expired e WHERE a.uuid = e.attempt_uuid AND a.outcome IS NULL
)
UPDATE retention.cancellations c
SET state = 'in_doubt', lease_until = NULL, unsettled = true, doubtful = c.doubtful OR e.kind = 'cancel',
    due_at = CASE
        WHEN %(status_probe)s AND c.probes < %(max_attempts)s THEN statement_timestamp()
        WHEN NOT %(status_probe)s AND c.tries < %(max_attempts)s
            THEN statement_timestamp() + make_interval(secs => %(back_off)s)
    END
FROM expired e WHERE c.id = e.id
RETURNING c.id, c.run_id, c.market, c.round_id, e.attempt_uuid
