-- Purpose: Finds rounds of any partner, in the view and the ledger, whose ids are among given spellings.
-- Locks: none.
-- Returns: the first few of them.
SELECT DISTINCT k.partner, k.round_id
FROM (
    SELECT partner, round_id FROM retention.open_rounds WHERE round_id = ANY (%(spellings)s::text[])
    UNION ALL
    SELECT partner, round_id FROM retention.cancellations WHERE round_id = ANY (%(spellings)s::text[])
) AS k
ORDER BY 1, 2
LIMIT 3
