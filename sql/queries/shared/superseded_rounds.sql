-- Fragment, the end of a statement: settles as not sent the rounds of `chosen` that abandoned runs planned and never
-- sent. Rounds above `max_rounds` (NULL: no limit) supersede nothing.

-- The rounds of the earlier runs.
superseded AS (
    UPDATE retention.cancellations c
    SET state = 'not_sent', settled_at = statement_timestamp(), due_at = NULL, needs_follow_up = false,
        detail = %(detail)s
    FROM chosen s JOIN retention.round_keys k ON k.partner = s.partner AND k.round_id = s.round_id
    WHERE (SELECT coalesce(count(*) <= %(max_rounds)s::bigint, true) FROM chosen)
      AND c.id = k.held_by
      AND c.state IN ('planned', 'retrying') AND NOT c.may_have_taken_effect
    RETURNING c.*
),

-- Their new hashes.
leaves_by_run AS (
    SELECT
        c.run_id, 'cancellation' AS subject, c.id::text AS id,
        -- include shared/cancellation_leaf.sql
        AS hash
    FROM superseded c, retention.ledger_key k WHERE c.settled_at IS NOT NULL
),

-- For the evidence.
about AS (
    SELECT %(replica)s::text AS replica, 'superseded' AS kind, NULL::json AS facts
),

-- include shared/evidence_by_run.sql

SELECT count(*) AS rounds FROM superseded
