-- A person's word on a cancellation, where it is one to give it on; returns the row as it was before. No word is given
-- against what the vendor has confirmed: its round would be free to be cancelled again. A word that was wrong may be taken
-- back as long as the round is open at the operator's; the note keeps it.
WITH resolved AS (
    UPDATE retention.cancellations c
    SET state = 'resolved', resolved_as = %(as_state)s, resolved_by = %(by)s, 
        resolved_note = concat_ws('; before: ', %(note)s::text, CASE WHEN c.state = 'resolved' THEN
            concat(c.resolved_as, ' by ', c.resolved_by, ' at ',
                   to_char(c.resolved_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), ': ', c.resolved_note) END),
        resolved_at = statement_timestamp(), resolved_from = coalesce(c.resolved_from, c.state),
        settled_at = coalesce(c.settled_at, statement_timestamp()),
        due_at = NULL, lease_until = NULL, needs_follow_up = false,
        -- Until it is closed at the operator's, which is tried in this very transaction.
        conflict = %(as_state)s IN ('cancelled', 'already_cancelled')
    FROM retention.runs r
    WHERE c.id = %(id)s AND r.run_id = c.run_id AND r.mode = 'enforce'
      AND c.state NOT IN ('planned', 'claimed', 'retrying')
      AND CASE WHEN %(as_state)s IN ('cancelled', 'already_cancelled') THEN c.state <> 'resolved'
               ELSE (c.state <> 'resolved' OR c.conflict)
                    AND coalesce(c.resolved_from, c.state) NOT IN ('cancelled', 'already_cancelled') END
    RETURNING c.id
)
SELECT c.state, c.resolved_as, c.resolved_by, c.resolved_from, c.conflict, r.mode, EXISTS (SELECT FROM resolved) AS done
FROM retention.cancellations c JOIN retention.runs r ON r.run_id = c.run_id
WHERE c.id = %(id)s
