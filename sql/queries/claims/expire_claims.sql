-- Purpose: Turns expired claims into doubts: their requests may have been sent. An expired probe returns its round to
--     the state before, since a probe changes nothing. `but` lists attempts that the asking process still holds. `now`
--     is the time past a jump of the database's clock (NULL: unknown), since a jump must not expire a claim.
-- Locks: the expired rows, those of others are skipped.
-- Returns: a row per expired claim, with its new state.
WITH

-- The first claim of a planned round.
first_claims AS (
    SELECT f.*
    FROM
        -- include shared/claimed_blocks.sql
        b
    CROSS JOIN LATERAL (
        SELECT c.id, c.attempt_uuid, c.may_have_taken_effect, c.refusal_pending_probe
        FROM retention.cancellations c
        WHERE c.partner = %(partner)s AND c.run_id = b.run_id AND c.id BETWEEN b.first AND b.last
          AND c.state = 'claimed' AND c.lease_until < least(statement_timestamp(), %(now)s::timestamptz)
          AND NOT c.needs_follow_up AND c.attempt_uuid <> ALL (%(but)s::uuid[])
        FOR UPDATE OF c SKIP LOCKED
    ) f
),

-- Retries, and probes of doubts.
follow_up_claims AS (
    SELECT c.id, c.attempt_uuid, c.may_have_taken_effect, c.refusal_pending_probe
    FROM retention.cancellations c
    WHERE c.partner = %(partner)s AND c.needs_follow_up AND c.state = 'claimed'
      AND c.lease_until < least(statement_timestamp(), %(now)s::timestamptz)
      AND c.attempt_uuid <> ALL (%(but)s::uuid[])
    FOR UPDATE OF c SKIP LOCKED
),

-- A lost cancel request is a doubt; a lost probe only where its round was in doubt before.
expired AS (
    SELECT
        e.id, e.attempt_uuid, a.kind,
        a.kind = 'cancel' OR e.may_have_taken_effect OR e.refusal_pending_probe AS is_doubt
    FROM (SELECT * FROM first_claims UNION ALL SELECT * FROM follow_up_claims) e
    JOIN retention.attempts a ON a.uuid = e.attempt_uuid AND a.cancellation_id = e.id
),

-- Their attempts have no reply on record.
attempts_lost AS (
    UPDATE retention.attempts a
    SET outcome = 'in_doubt', detail = %(detail)s
    FROM expired e
    WHERE a.uuid = e.attempt_uuid AND a.cancellation_id = e.id AND a.outcome IS NULL
    RETURNING a.*
),

-- Their new hashes. No expired row is settled.
leaves_by_run AS (
    SELECT
        a.run_id, 'attempt' AS subject, a.uuid::text AS id,
        -- include shared/attempt_leaf.sql
        AS hash
    FROM attempts_lost a
),

-- For the evidence.
about AS (
    SELECT %(replica)s::text AS replica, 'expired' AS kind, NULL::json AS facts
),

-- include shared/evidence_by_run.sql

UPDATE retention.cancellations c
SET state = CASE WHEN e.is_doubt THEN 'in_doubt' WHEN c.needs_follow_up THEN 'retrying' ELSE 'planned' END,
    lease_until = NULL, needs_follow_up = c.needs_follow_up OR e.is_doubt,
    may_have_taken_effect = c.may_have_taken_effect OR e.kind = 'cancel',
    in_progress_at = CASE WHEN NOT e.is_doubt THEN c.in_progress_at END,
    due_at = CASE
        WHEN NOT e.is_doubt THEN CASE WHEN c.needs_follow_up THEN statement_timestamp() END
        WHEN %(status_probe)s AND c.probes_this_run < %(max_attempts)s THEN statement_timestamp()
        WHEN NOT %(status_probe)s AND c.attempts_this_run < %(max_attempts)s
            THEN statement_timestamp() + make_interval(secs => %(back_off)s)
    END
FROM expired e WHERE c.id = e.id
RETURNING c.id, c.run_id, c.market, c.round_id, e.attempt_uuid, c.state
