-- The currencies of the stakes that a policy looks at.
SELECT DISTINCT s.currency
FROM (
    -- include stale_rounds.sql
) s
WHERE s.standing = 'eligible' AND s.currency IS NOT NULL
ORDER BY s.currency LIMIT %(limit)s
