-- Purpose: Reads the database's clock.
-- Locks: none.
-- Returns: one row.
SELECT statement_timestamp() AS now
