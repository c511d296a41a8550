-- Fragment, as a query: the archives whose own evidence fits. Nothing else may excuse what is gone.
SELECT v.name, v.month, v.first_id, v.last_id, v.entries
FROM retention.archives v
WHERE EXISTS (
    SELECT FROM retention.evidence e
    WHERE e.kind IN ('archived', 'kept') AND position(
        -- include shared/archive_leaf.sql
    IN e.body) > 0)
