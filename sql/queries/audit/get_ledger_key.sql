-- Purpose: Reads the ledger's name in checkpoints, and since when it keeps evidence. A time that no calendar has, such
--     as an endless one, is left out.
-- Locks: none.
-- Returns: one row.
SELECT origin, CASE WHEN kept_since BETWEEN '2000-01-01' AND '9000-01-01' THEN kept_since END AS kept_since
FROM retention.ledger_key
