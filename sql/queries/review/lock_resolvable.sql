-- Purpose: Locks the cancellations that a person wants to resolve, with everything that decides whether that can be.
-- Locks: the cancellations, until the commit.
-- Returns: a row per cancellation that there is. `finding`: it has an open one. `rival`: another row of its round is
--     live or cancelled.
SELECT
    c.id, c.partner, c.round_id, c.state, c.conflict, c.resolved_as, c.resolved_by, c.resolved_note, c.resolved_from,
    c.amount, c.currency, c.stake, c.stake_currency, r.mode,
    EXISTS (SELECT FROM retention.findings f WHERE f.cancellation_id = c.id AND f.resolved_at IS NULL) AS finding,
    EXISTS (
        SELECT FROM retention.round_keys k
        WHERE k.partner = c.partner AND k.round_id = c.round_id AND k.held_by <> c.id) AS rival
FROM retention.cancellations c JOIN retention.runs r ON r.run_id = c.run_id
WHERE c.id = ANY (%(ids)s::bigint[])
ORDER BY c.id FOR UPDATE OF c
