-- Purpose: Resolves a cancellation as a person says. A state that the vendor has confirmed cannot be contradicted: its
--     round would be free to be cancelled again. A wrong resolution can be replaced while the round is open at the
--     operator's; the note keeps it, in the form of `earlier`.
-- Locks: the cancellation, until the commit.
-- Returns: the row as it was before, and whether this call resolved it; no row without the cancellation.
WITH

-- `conflict` stands until the round is closed at the operator's, which this transaction tries next.
resolved AS (
    UPDATE retention.cancellations c
    SET state = 'resolved', resolved_as = %(as_state)s, resolved_by = %(by)s,
        resolved_note = concat(%(note)s::text, CASE WHEN c.state = 'resolved' THEN format(
            %(earlier)s, c.resolved_as, c.resolved_by,
            to_char(c.resolved_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), c.resolved_note) END),
        resolved_at = statement_timestamp(), resolved_from = coalesce(c.resolved_from, c.state),
        settled_at = coalesce(c.settled_at, statement_timestamp()),
        due_at = NULL, lease_until = NULL, needs_follow_up = false,
        conflict = %(as_state)s IN ('cancelled', 'already_cancelled')
    FROM retention.runs r
    WHERE c.id = %(id)s AND r.run_id = c.run_id AND r.mode = 'enforce'
      AND c.state NOT IN ('planned', 'claimed', 'retrying')
      AND CASE WHEN %(as_state)s IN ('cancelled', 'already_cancelled') THEN c.state <> 'resolved'
               ELSE (c.state <> 'resolved' OR c.conflict)
                    AND coalesce(c.resolved_from, c.state) NOT IN ('cancelled', 'already_cancelled') END
    RETURNING c.*
),

-- Its new hash.
leaves_by_run AS (
    SELECT
        c.run_id, 'cancellation' AS subject, c.id::text AS id,
        -- include shared/cancellation_leaf.sql
        AS hash
    FROM resolved c, retention.ledger_key k WHERE c.settled_at IS NOT NULL
),

-- For the evidence.
about AS (
    SELECT
        NULL::text AS replica, 'resolved' AS kind,
        json_build_object('by', %(by)s::text, 'as', %(as_state)s::text, 'note', %(note)s::text) AS facts
),

-- include shared/evidence_by_run.sql

SELECT c.state, c.resolved_as, c.resolved_by, c.resolved_from, c.conflict, r.mode, EXISTS (SELECT FROM resolved) AS done
FROM retention.cancellations c JOIN retention.runs r ON r.run_id = c.run_id
WHERE c.id = %(id)s
