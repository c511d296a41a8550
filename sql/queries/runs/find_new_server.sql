-- Purpose: Finds out whether the ledger may lack claims of a run that is not over: the database server has restarted,
--     or another has taken over, and no process has waited there for one of the run's partners.
-- Locks: none.
-- Returns: the server's start; no row where nothing has to be waited for.
SELECT pg_postmaster_start_time() AS started
FROM retention.runs r, retention.partner_state s
WHERE r.run_id = %(run_id)s AND r.status NOT IN ('finished', 'cancelled')
  AND s.kind = 'cancel' AND s.server_started <> pg_postmaster_start_time()
  AND EXISTS (SELECT FROM retention.cancellations c WHERE c.run_id = r.run_id AND c.partner = s.partner)
LIMIT 1
