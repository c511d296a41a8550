-- Purpose: Releases claims whose requests have not left. Their attempts stay on record as released, and do not count.
-- Locks: the claimed rows and their attempts.
-- Returns: the attempts of the claims that were still held.
WITH

-- Attempts whose rows they no longer hold: they expired, or were recorded again after a lost commit. None was sent.
stray AS (
    UPDATE retention.attempts a SET outcome = 'released', detail = NULL
    WHERE a.uuid = ANY (%(uuids)s::uuid[])
      AND (a.cancellation_id >= %(first_id)s OR a.cancellation_id = 0)
      AND a.sent_at IS NULL AND coalesce(a.outcome, 'in_doubt') = 'in_doubt'
      -- By the id: with NOT EXISTS the planner may compare each attempt with each row.
      AND (
          SELECT c.attempt_uuid = a.uuid AND c.state = 'claimed' FROM retention.cancellations c
          WHERE c.id = a.cancellation_id AND c.id >= %(first_id)s LIMIT 1) IS NOT TRUE
    RETURNING a.*
),

-- How many each row has of them.
strays AS (
    SELECT cancellation_id, (count(*) FILTER (WHERE kind = 'cancel'))::integer AS cancels,
           (count(*) FILTER (WHERE kind = 'status'))::integer AS probes
    FROM stray GROUP BY cancellation_id
),

-- Claims that still hold their rows: each row returns to the state before its claim, and counts no stray attempt.
released AS (
    UPDATE retention.cancellations c
    SET state = CASE WHEN c.may_have_taken_effect OR c.refusal_pending_probe THEN 'in_doubt'
                     WHEN c.needs_follow_up THEN 'retrying' ELSE 'planned' END,
        due_at = CASE WHEN c.needs_follow_up OR c.may_have_taken_effect OR c.refusal_pending_probe
                      THEN statement_timestamp() END,
        -- A planned row is in doubt if another process's lost claim was recorded again meanwhile.
        needs_follow_up = c.needs_follow_up OR c.may_have_taken_effect OR c.refusal_pending_probe,
        -- A doubt is probed anew.
        in_progress_at = CASE WHEN NOT (c.may_have_taken_effect OR c.refusal_pending_probe) THEN c.in_progress_at END,
        lease_until = NULL, attempt_uuid = NULL,
        attempts = greatest(c.attempts - (a.kind = 'cancel')::integer - coalesce(s.cancels, 0), 0),
        attempts_this_run = greatest(c.attempts_this_run - (a.kind = 'cancel')::integer - coalesce(s.cancels, 0), 0),
        probes_this_run = greatest(c.probes_this_run - (a.kind = 'status')::integer - coalesce(s.probes, 0), 0)
    FROM retention.attempts a LEFT JOIN strays s ON s.cancellation_id = a.cancellation_id
    WHERE a.uuid = ANY (%(uuids)s::uuid[]) AND a.cancellation_id >= %(first_id)s
      AND c.id = a.cancellation_id AND c.id >= %(first_id)s
      AND c.state = 'claimed' AND c.attempt_uuid = a.uuid
    RETURNING a.uuid, a.cancellation_id
),

-- Their rows count them no longer. A settled row keeps one count: some request or probe has settled it, though its own
-- count may be lost.
uncounted AS (
    UPDATE retention.cancellations c
    SET attempts = greatest(c.attempts - s.cancels, (
            c.state IN ('cancelled', 'rejected')
            OR (c.state IN ('already_cancelled', 'already_completed') AND c.probes_this_run = 0))::integer),
        attempts_this_run = greatest(c.attempts_this_run - s.cancels, 0),
        probes_this_run = CASE WHEN c.state IN ('planned', 'claimed', 'retrying', 'in_doubt')
                               THEN greatest(c.probes_this_run - s.probes, 0) ELSE c.probes_this_run END
    FROM strays s
    -- One statement changes a row once.
    WHERE c.id = s.cancellation_id AND c.id >= %(first_id)s
      AND NOT EXISTS (SELECT FROM released r WHERE r.cancellation_id = c.id)
    RETURNING c.*
),

-- The attempts of the claims that still held their rows.
freed AS (
    UPDATE retention.attempts a SET outcome = 'released' FROM released r
    WHERE a.uuid = r.uuid AND a.cancellation_id = r.cancellation_id AND a.cancellation_id >= %(first_id)s
    RETURNING a.*
),

-- The new hashes of the attempts, and of the settled rows.
leaves_by_run AS (
    SELECT
        a.run_id, 'attempt' AS subject, a.uuid::text AS id,
        -- include shared/attempt_leaf.sql
        AS hash
    FROM (SELECT * FROM freed UNION ALL SELECT * FROM stray) a
    UNION ALL
    SELECT
        c.run_id, 'cancellation', c.id::text,
        -- include shared/cancellation_leaf.sql
    FROM uncounted c, retention.ledger_key k WHERE c.settled_at IS NOT NULL
),

-- For the evidence.
about AS (
    SELECT %(replica)s::text AS replica, 'released' AS kind, NULL::json AS facts
),

-- include shared/evidence_by_run.sql

SELECT uuid FROM freed
