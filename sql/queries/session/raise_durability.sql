-- Purpose: Makes the transaction's commit be on disk when it is reported, also against the server's default. A level
--     above `on` stays as it is.
--     Part of the transaction, because session settings do not survive PgBouncer in transaction mode, and a round trip
--     more for each claim would cost rate.
-- Locks: none.
-- Returns: a row where the level was raised.
SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') IN ('off', 'local')
