-- Purpose: Lists the next settled cancellations of enforcing runs beyond the cursor `after`: the ones that became their
--     outcome in a period, in one run, in one market. A round that a later run has taken up is compared there, unless
--     it is cancelled.
-- Locks: none.
-- Returns: a row per cancellation, by id.
SELECT c.id, c.run_id, c.partner, c.market, c.user_id, c.round_id, c.opened_at, became.outcome
FROM retention.cancellations c
JOIN retention.runs r ON r.run_id = c.run_id
CROSS JOIN LATERAL (
    SELECT
        coalesce(c.resolved_as, c.state) AS outcome,
        -- include shared/outcome_time.sql
        AS at
) became
WHERE c.id > %(after)s AND c.settled_at IS NOT NULL AND r.mode = 'enforce'
  AND (%(start)s::timestamptz IS NULL OR became.at >= %(start)s)
  AND (%(end)s::timestamptz IS NULL OR became.at < %(end)s)
  AND (%(market)s::text IS NULL OR c.market = %(market)s)
  AND (%(run_id)s::uuid IS NULL OR c.run_id = %(run_id)s)
  AND (became.outcome IN ('cancelled', 'already_cancelled') OR NOT
       -- include shared/later_row.sql
  )
ORDER BY c.id
LIMIT %(batch)s
