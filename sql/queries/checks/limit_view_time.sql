-- Purpose: Gives each of the transaction's next statements 30 seconds.
-- Locks: none.
-- Returns: the setting.
SELECT set_config('statement_timeout', '30s', true)
