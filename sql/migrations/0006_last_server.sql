-- The database server on which the partner's claims are allowed. A server that has restarted, or that took over, may
-- lack claims whose requests are under way; a process that has just begun knows no earlier server to compare it with.

-- A new row names the server of this migration: the ledger may have lost an older row with the partner's first run.
DO $$
BEGIN
    EXECUTE format('ALTER TABLE retention.partner_state ADD COLUMN server_started timestamptz NOT NULL DEFAULT %L',
                   pg_postmaster_start_time());
END
$$;
