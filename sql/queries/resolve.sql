-- A person's word on a cancellation, where it is one to give it on; returns the row as it was before. What is resolved and
-- still open at the operator's may be resolved once more.
WITH resolved AS (
    UPDATE retention.cancellations c
    SET state = 'resolved', resolved_as = %(as_state)s, resolved_by = %(by)s, resolved_note = %(note)s,
        resolved_at = statement_timestamp(), resolved_from = coalesce(c.resolved_from, c.state),
        settled_at = coalesce(c.settled_at, statement_timestamp()),
        due_at = NULL, lease_until = NULL, unsettled = false,
        -- Until it is closed at the operator's, which is tried in this very transaction.
        conflict = %(as_state)s IN ('cancelled', 'already_cancelled'),
        holds_round = %(as_state)s IN ('cancelled', 'already_cancelled')
    FROM retention.runs r
    WHERE c.id = %(id)s AND r.run_id = c.run_id AND r.mode = 'enforce'
      AND c.state NOT IN ('planned', 'claimed', 'retrying') AND (c.state <> 'resolved' OR c.conflict)
    RETURNING c.id
)
SELECT c.state, c.resolved_as, c.resolved_by, c.conflict, r.mode, EXISTS (SELECT FROM resolved) AS done
FROM retention.cancellations c JOIN retention.runs r ON r.run_id = c.run_id
WHERE c.id = %(id)s
