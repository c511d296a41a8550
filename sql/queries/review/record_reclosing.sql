-- Purpose: Records how reclosing rounds ended. A round that another process has closed meanwhile stays as it is.
-- Locks: the cancellations, until the commit.
-- Returns: nothing.
UPDATE retention.cancellations c
SET conflict = n.conflict, detail = n.detail
FROM unnest(%(ids)s::bigint[], %(conflicts)s::boolean[], %(details)s::text[]) AS n (id, conflict, detail)
WHERE c.id = n.id AND c.conflict
