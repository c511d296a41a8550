-- Purpose: Lists cancellations whose rounds may have to be closed again: by id, or (`ids` NULL) all in conflict.
-- Locks: none.
-- Returns: a row per cancellation, with everything that decides whether its round may be closed.
SELECT c.id, c.partner, c.round_id, c.state, c.resolved_as, c.conflict, c.detail, r.mode
FROM retention.cancellations c JOIN retention.runs r ON r.run_id = c.run_id
WHERE CASE WHEN %(ids)s::bigint[] IS NULL THEN c.conflict ELSE c.id = ANY (%(ids)s::bigint[]) END
ORDER BY c.id
