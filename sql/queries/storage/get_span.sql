-- Purpose: Tells the span of the ledger's runs, how many entries its evidence has, and how many of those no checkpoint
--     covers yet. Only entries of transactions from the newest checkpoint's `placed_before` on may lack a place.
-- Locks: none.
-- Returns: one row.
SELECT
    statement_timestamp() AS as_of, r.runs, r.oldest, r.newest,
    coalesce((SELECT max(l.leaf) + 1 FROM retention.evidence_leaves l), 0) + u.entries AS entries,
    u.entries AS unplaced, c.checkpoint_id, c.at AS checkpoint_at, c.size, c.root
FROM (SELECT count(*) AS runs, min(as_of) AS oldest, max(as_of) AS newest FROM retention.runs) r
LEFT JOIN LATERAL (
    SELECT checkpoint_id, at, size, root, server, placed_before
    FROM retention.checkpoints ORDER BY checkpoint_id DESC LIMIT 1
) c ON true
CROSS JOIN pg_control_system() s
CROSS JOIN LATERAL (
    SELECT count(*) AS entries
    FROM retention.evidence e
    WHERE e.written_by >= coalesce(CASE WHEN c.server = s.system_identifier THEN c.placed_before END, '0'::xid8)
      AND NOT EXISTS (SELECT FROM retention.evidence_leaves l WHERE l.entry_id = e.entry_id)
) u
