-- Purpose: Records that a process has waited for a lease on this database server: all processes may claim on it for the
--     partner, for cancels and for questions, whether or not this process has any to send.
-- Locks: the partner's rows that no claim has locked, until the commit; a locked row is left to the next look.
-- Returns: nothing.
WITH

-- The rows that name another server. Two rows are locked here, so a wait for one could be a deadlock.
free AS (
    SELECT s.partner, s.kind
    FROM retention.partner_state s
    WHERE s.partner = %(partner)s AND s.server_started <> pg_postmaster_start_time()
      AND pg_postmaster_start_time() = %(awaited_server)s::timestamptz
    FOR UPDATE SKIP LOCKED
)

UPDATE retention.partner_state s SET server_started = pg_postmaster_start_time()
FROM free f WHERE s.partner = f.partner AND s.kind = f.kind
