-- Fragment: each row that an entry of evidence names, with its hash at the time. `unreadable` entries are left out.
SELECT e.entry_id, e.run_id, e.kind, l.leaf, s.subject, h.id, h.hash
FROM retention.evidence e
LEFT JOIN retention.evidence_leaves l ON l.entry_id = e.entry_id
CROSS JOIN LATERAL json_each(e.body::json -> 'rows') AS s (subject, hashes)
CROSS JOIN LATERAL json_each_text(s.hashes) AS h (id, hash)
WHERE e.entry_id <> ALL (%(unreadable)s::bigint[])
