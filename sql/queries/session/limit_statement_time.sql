-- Purpose: Gives each of the transaction's next statements five seconds.
-- Locks: none.
-- Returns: the setting.
SELECT set_config('statement_timeout', '5s', true)
