-- Purpose: Gives each of the transaction's next statements 30 seconds, and 5 seconds to wait for a lock.
-- Locks: none.
-- Returns: the settings.
SELECT set_config('statement_timeout', '30s', true) AS statements, set_config('lock_timeout', '5s', true) AS locks
