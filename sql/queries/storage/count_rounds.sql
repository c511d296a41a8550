-- Purpose: Counts the rows of cancellations by state. It reads the whole table.
-- Locks: none.
-- Returns: a row per state.
SELECT state, count(*) AS rounds FROM retention.cancellations GROUP BY state ORDER BY rounds DESC, state
