-- Purpose: Resolves cancellations as a person says, in the transaction that has locked and judged them. A resolution
--     that replaces another keeps that one in its note, in the form of `earlier`. Findings are resolved with their row.
-- Locks: the cancellations and their findings, until the commit.
-- Returns: a row per cancellation, with `conflict`: its round has still to be closed at the operator's.
WITH

-- The decisions.
wanted AS (
    SELECT *
    FROM unnest(%(ids)s::bigint[], %(as_states)s::text[], %(notes)s::text[]) AS w (id, as_state, note)
),

-- The open findings end with the decision.
judged AS (
    UPDATE retention.findings f
    SET resolved_at = statement_timestamp()
    FROM wanted w
    WHERE f.cancellation_id = w.id AND f.resolved_at IS NULL
    RETURNING f.cancellation_id, f.kind
),

-- `conflict` stands until the round is closed at the operator's. A round that was closed there when the vendor
-- cancelled it is not closed again, unless it was found open.
resolved AS (
    UPDATE retention.cancellations c
    SET state = 'resolved', resolved_as = w.as_state, resolved_by = %(by)s,
        resolved_note = concat(w.note, CASE WHEN c.state = 'resolved' THEN format(
            %(earlier)s, c.resolved_as, c.resolved_by,
            to_char(c.resolved_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), c.resolved_note) END),
        resolved_at = statement_timestamp(), resolved_from = coalesce(c.resolved_from, c.state),
        settled_at = coalesce(c.settled_at, statement_timestamp()),
        due_at = NULL, lease_until = NULL, needs_follow_up = false,
        conflict = w.as_state IN ('cancelled', 'already_cancelled')
            AND (c.conflict OR coalesce(c.resolved_as, c.state) NOT IN ('cancelled', 'already_cancelled')
                 OR EXISTS (SELECT FROM judged j WHERE j.cancellation_id = c.id AND j.kind = 'open_at_operator'))
    FROM wanted w
    WHERE c.id = w.id
    RETURNING c.*
),

-- Their new hashes.
leaves_by_run AS (
    SELECT
        c.run_id, 'cancellation' AS subject, c.id::text AS id,
        -- include shared/cancellation_leaf.sql
        AS hash
    FROM resolved c, retention.ledger_key k
),

-- For the evidence.
about AS (
    SELECT NULL::text AS replica, 'resolved' AS kind, %(facts)s::json AS facts
),

-- include shared/evidence_by_run.sql

SELECT id, conflict FROM resolved ORDER BY id
