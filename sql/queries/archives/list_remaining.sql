-- Purpose: Lists the rows that record_remaining.sql would record.
-- Locks: none.
-- Returns: a row per recorded row.
WITH

-- include shared/remaining_rows.sql

SELECT subject, id FROM leaves_by_run ORDER BY subject, id
