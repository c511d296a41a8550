-- Purpose: Lists the transactions that change cancellations now. Their rows may be settled at an earlier time than
--     this.
-- Locks: none.
-- Returns: a row per transaction.
SELECT l.virtualtransaction AS writer
FROM pg_catalog.pg_locks l
WHERE l.locktype = 'relation' AND l.mode = 'RowExclusiveLock'
  AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
  AND l.relation = 'retention.cancellations'::regclass
