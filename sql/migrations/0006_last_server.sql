-- The database server on which the partner's last claim was made. A server that has restarted, or that took over, may
-- lack claims whose requests are under way; a process that has just begun knows no earlier server to compare it with.

ALTER TABLE retention.partner_state
    ADD COLUMN server_started timestamptz NOT NULL DEFAULT pg_postmaster_start_time();
