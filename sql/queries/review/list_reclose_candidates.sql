-- Cancellations by id, with what decides whether their rounds may be closed once more; without ids, those that may.
SELECT c.id, c.partner, c.round_id, c.state, c.resolved_as, c.conflict, c.detail, r.mode
FROM retention.cancellations c JOIN retention.runs r ON r.run_id = c.run_id
WHERE CASE WHEN %(ids)s::bigint[] IS NULL THEN c.conflict ELSE c.id = ANY (%(ids)s::bigint[]) END
ORDER BY c.id
