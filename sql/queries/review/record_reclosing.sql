-- What came of closing rounds once more. One that somebody else has closed meanwhile stays as it is.
UPDATE retention.cancellations c
SET conflict = n.conflict, detail = n.detail
FROM unnest(%(ids)s::bigint[], %(conflicts)s::boolean[], %(details)s::text[]) AS n (id, conflict, detail)
WHERE c.id = n.id AND c.conflict
