-- Rounds of the operator's view and of the ledger whose ids are among these, whoever's they are.
SELECT DISTINCT k.partner, k.round_id
FROM (
    SELECT partner, round_id FROM retention.open_rounds WHERE round_id = ANY (%(spellings)s::text[])
    UNION ALL
    SELECT partner, round_id FROM retention.cancellations WHERE round_id = ANY (%(spellings)s::text[])
) AS k
ORDER BY 1, 2
LIMIT 3
