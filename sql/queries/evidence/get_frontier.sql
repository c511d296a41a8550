-- Purpose: Reads the tree from which the next checkpoint goes on.
-- Locks: none.
-- Returns: one row: the ledger's name, and the newest checkpoint's size and frontier; size 0 before the first one.
--     `server` names this database server, and `placed_before` is NULL where the newest checkpoint is of another one,
--     or of a transaction that has not begun.
SELECT
    k.origin, coalesce(c.size, 0) AS size, coalesce(c.frontier, '{}') AS frontier, s.system_identifier AS server,
    CASE WHEN c.server = s.system_identifier AND c.placed_before <= pg_snapshot_xmin(pg_current_snapshot())
         THEN c.placed_before::text END AS placed_before,
    pg_snapshot_xmin(pg_current_snapshot())::text AS xmin
FROM retention.ledger_key k
CROSS JOIN pg_control_system() s
LEFT JOIN LATERAL (
    SELECT size, frontier, server, placed_before FROM retention.checkpoints ORDER BY checkpoint_id DESC LIMIT 1
) c ON true
