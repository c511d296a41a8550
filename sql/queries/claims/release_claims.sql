-- Claims that are handed back unsent. Their attempts stay on record as released, and do not count.
WITH back AS (
    UPDATE retention.cancellations c
    SET state = CASE WHEN c.doubtful OR c.refused THEN 'in_doubt' WHEN c.unsettled THEN 'retrying' ELSE 'planned' END,
        due_at = CASE WHEN c.unsettled OR c.doubtful OR c.refused THEN statement_timestamp() END,
        -- A round that was planned is doubtful where a lost claim of another process was recorded again meanwhile.
        unsettled = c.unsettled OR c.doubtful OR c.refused,
        -- A doubt is asked about anew.
        in_progress_at = CASE WHEN NOT (c.doubtful OR c.refused) THEN c.in_progress_at END,
        lease_until = NULL, attempt_uuid = NULL,
        attempts = c.attempts - (a.kind = 'cancel')::integer, tries = c.tries - (a.kind = 'cancel')::integer,
        probes = c.probes - (a.kind = 'status')::integer
    FROM retention.attempts a
    WHERE a.uuid = ANY (%(uuids)s::uuid[]) AND c.id = a.cancellation_id
      AND c.state = 'claimed' AND c.attempt_uuid = a.uuid
    RETURNING a.uuid
), stray AS (
    -- An attempt whose row is another's: it was recorded again after a lost commit, and did not leave either.
    UPDATE retention.attempts a SET outcome = 'released'
    WHERE a.uuid = ANY (%(uuids)s::uuid[]) AND a.outcome IS NULL AND NOT EXISTS (
        SELECT FROM retention.cancellations c
        WHERE c.id = a.cancellation_id AND c.attempt_uuid = a.uuid AND c.state = 'claimed')
    RETURNING a.cancellation_id, a.kind
), uncounted AS (
    UPDATE retention.cancellations c
    -- A settled row keeps one count: some request or question has settled it, though its own count may be lost.
    SET attempts = greatest(c.attempts - s.cancels, (
            c.state IN ('cancelled', 'rejected')
            OR (c.state IN ('already_cancelled', 'already_completed') AND c.probes = 0))::integer),
        tries = greatest(c.tries - s.cancels, 0),
        probes = CASE WHEN c.state IN ('planned', 'claimed', 'retrying', 'in_doubt')
                      THEN greatest(c.probes - s.questions, 0) ELSE c.probes END
    FROM (SELECT cancellation_id, (count(*) FILTER (WHERE kind = 'cancel'))::integer AS cancels,
                 (count(*) FILTER (WHERE kind = 'status'))::integer AS questions
          FROM stray GROUP BY cancellation_id) s
    -- A row is changed once by a statement.
    WHERE c.id = s.cancellation_id AND NOT EXISTS (
        SELECT FROM retention.attempts a WHERE a.uuid = ANY (%(uuids)s::uuid[]) AND a.uuid = c.attempt_uuid)
)
UPDATE retention.attempts a SET outcome = 'released' FROM back WHERE a.uuid = back.uuid
