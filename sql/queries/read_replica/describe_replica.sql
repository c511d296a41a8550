-- Purpose: Describes the server of `read_dsn`, so that it can be compared with the primary.
-- Locks: none.
-- Returns: one row. `caught_up`: whether it has replayed all WAL up to `position`; `replayed_at`: when the primary
--     committed the last transaction that it has replayed. Only some roles see what the WAL receiver has received.
SELECT
    s.system_identifier AS cluster, pg_is_in_recovery() AS standby,
    CASE WHEN pg_is_in_recovery()
         THEN greatest(c.timeline_id, r.min_recovery_end_timeline, (SELECT received_tli FROM pg_stat_wal_receiver))
         ELSE ('x' || left(pg_walfile_name(pg_current_wal_flush_lsn()), 8))::bit(32)::integer END AS timeline,
    d.oid::bigint AS database_id, quote_ident(d.datname) AS database,
    EXISTS (
        SELECT FROM pg_catalog.pg_class v JOIN pg_catalog.pg_namespace n ON n.oid = v.relnamespace
        WHERE n.nspname = 'retention' AND v.relname = 'open_rounds') AS has_view,
    coalesce(pg_last_wal_replay_lsn() >= %(position)s::pg_lsn, false) AS caught_up,
    pg_last_xact_replay_timestamp() AS replayed_at
FROM pg_control_system() s, pg_control_checkpoint() c, pg_control_recovery() r, pg_catalog.pg_database d
WHERE d.datname = current_database()
