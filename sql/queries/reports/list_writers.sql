-- Purpose: Lists the transactions that settle cancellations or leave evidence of decisions now. Their rows may have an
--     earlier time than this.
-- Locks: none.
-- Returns: a row per transaction.
SELECT DISTINCT l.virtualtransaction AS writer
FROM pg_catalog.pg_locks l
WHERE l.locktype = 'relation' AND l.mode = 'RowExclusiveLock'
  AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
  -- By their names: a role needs no privilege on them to wait for their writers.
  AND l.relation IN (
      SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = 'retention' AND c.relname IN ('cancellations', 'evidence'))
