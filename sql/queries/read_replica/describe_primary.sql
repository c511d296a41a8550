-- Purpose: Describes the primary, so that its replica can be recognized.
-- Locks: none.
-- Returns: one row: the cluster, its timeline, the position that each commit so far is before, and the database. A
--     standby has no position.
SELECT
    s.system_identifier AS cluster,
    CASE WHEN NOT pg_is_in_recovery()
         THEN ('x' || left(pg_walfile_name(pg_current_wal_flush_lsn()), 8))::bit(32)::integer END AS timeline,
    CASE WHEN NOT pg_is_in_recovery() THEN pg_current_wal_flush_lsn()::text END AS position,
    d.oid::bigint AS database_id, quote_ident(d.datname) AS database, quote_ident(current_user) AS role,
    has_database_privilege(d.oid, 'TEMPORARY') AS may_copy
FROM pg_control_system() s, pg_catalog.pg_database d WHERE d.datname = current_database()
