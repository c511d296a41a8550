-- Purpose: Finds why named rounds are not in a targeted run's plan: the obstacle to each in the view, and the row that
--     holds it, else its newest.
-- Locks: none.
-- Returns: a row per refused round, in the order of their names; `standing` is NULL for a round that is not open.
--     `known`: the ledger has or had a row of it. `archived`: the row that holds it is archived, so it is cancelled.
WITH

-- The named rounds that are open, each once.
judged AS (
    SELECT DISTINCT ON (named.partner, named.round_id) named.partner, named.round_id, named.standing
    FROM (
        -- include shared/named_rounds.sql
    ) named
    ORDER BY named.partner, named.round_id
)

SELECT
    n.partner, n.round_id, j.standing, c.run_id, c.holds_round, coalesce(c.resolved_as, c.state) AS state,
    c.may_have_taken_effect, c.id IS NOT NULL OR k.round_id IS NOT NULL AS known,
    k.held_by IS DISTINCT FROM c.id AND k.held_by IS NOT NULL AS archived
FROM unnest(%(partners)s::text[], %(round_ids)s::text[]) WITH ORDINALITY AS n (partner, round_id, nth)
LEFT JOIN judged j ON j.partner = n.partner AND j.round_id = n.round_id
LEFT JOIN LATERAL (
    SELECT * FROM retention.cancellations c
    WHERE c.partner = n.partner AND c.round_id = n.round_id
    ORDER BY c.holds_round DESC, c.id DESC LIMIT 1
) c ON true
LEFT JOIN retention.round_keys k ON k.partner = n.partner AND k.round_id = n.round_id
WHERE NOT EXISTS (
    SELECT FROM retention.cancellations own
    WHERE own.partner = n.partner AND own.round_id = n.round_id AND own.run_id = %(run_id)s)
ORDER BY n.nth
