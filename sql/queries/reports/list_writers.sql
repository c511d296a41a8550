-- The transactions that change cancellations just now. What they write may be settled at an earlier moment than this one.
SELECT l.virtualtransaction AS writer
FROM pg_catalog.pg_locks l
WHERE l.locktype = 'relation' AND l.mode = 'RowExclusiveLock'
  AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
  AND l.relation = 'retention.cancellations'::regclass
