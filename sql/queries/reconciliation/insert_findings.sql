-- Purpose: Keeps findings, each kind once for each cancellation. A finding is dropped where the cancellation has become
--     another outcome since it was compared, a later run has taken up a round that is not cancelled, or all rows of its
--     month are recorded as archived and about to be dropped.
-- Locks: none.
-- Returns: a row per finding that still holds: whether it is new, and whether a person has resolved it before.
WITH

-- The findings of this reconciliation, each with the outcome that was compared.
given AS (
    SELECT g.*
    FROM unnest(%(ids)s::bigint[], %(kinds)s::text[], %(outcomes)s::text[], %(ledger)s::text[], %(vendor)s::text[],
                %(operator)s::text[], %(wallet)s::text[])
        AS g (id, kind, outcome, ledger, vendor, operator, wallet)
    JOIN retention.cancellations c ON c.id = g.id AND coalesce(c.resolved_as, c.state) = g.outcome
    WHERE (g.outcome IN ('cancelled', 'already_cancelled') OR NOT
           -- include shared/later_row.sql
    )
      AND NOT EXISTS (
          SELECT FROM retention.archives v WHERE v.kept = 0 AND g.id BETWEEN v.first_id AND v.last_id)
),

-- The ones that no reconciliation has found before.
added AS (
    INSERT INTO retention.findings (cancellation_id, kind, ledger, vendor, operator, wallet)
    SELECT id, kind, ledger, vendor, operator, wallet FROM given
    ON CONFLICT (cancellation_id, kind) DO NOTHING
    RETURNING cancellation_id, kind
)

SELECT g.id, g.kind, a.kind IS NOT NULL AS new, f.resolved_at IS NOT NULL AS resolved
FROM given g
LEFT JOIN added a ON a.cancellation_id = g.id AND a.kind = g.kind
LEFT JOIN retention.findings f ON f.cancellation_id = g.id AND f.kind = g.kind
ORDER BY g.id, g.kind
