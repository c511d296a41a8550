-- Purpose: Finds texts of the ledger that repeat a user's id: words of people, replies, findings.
-- Locks: none.
-- Returns: a row per table and column, with the number of its rows.
SELECT place, count(*) AS rows
FROM (
    SELECT 'runs.' || t.key AS place, t.value
    FROM retention.runs r, jsonb_each_text(jsonb_build_object(
        'requested_by', r.requested_by, 'reason', r.reason, 'evidence', r.evidence, 'settings', r.settings,
        'overrides', r.overrides, 'halt_reason', r.halt_reason, 'decision_note', r.decision_note,
        'unwritten_plan', r.unwritten_plan)) AS t (key, value)
    UNION ALL
    SELECT 'cancellations.' || t.key, t.value
    FROM retention.cancellations c, jsonb_each_text(jsonb_build_object(
        'description', c.description, 'detail', c.detail, 'resolved_note', c.resolved_note)) AS t (key, value)
    WHERE c.description IS NOT NULL OR c.detail IS NOT NULL OR c.resolved_note IS NOT NULL
    UNION ALL
    SELECT 'attempts.detail', a.detail FROM retention.attempts a WHERE a.detail IS NOT NULL
    UNION ALL
    SELECT 'holds.reason', h.reason FROM retention.holds h
    UNION ALL
    SELECT 'pauses.reason', p.reason FROM retention.pauses p
    UNION ALL
    -- Of an entry only the facts, without the times of an erasure, which come last. Ids, hashes and times are long, and
    -- would repeat a short id by chance.
    SELECT 'evidence.body',
           regexp_replace(coalesce(substring(e.body FROM '"facts" : (.*), "rows" : '), e.body), '"begun" : .*', '')
    FROM retention.evidence e
    UNION ALL
    SELECT 'findings.' || t.key, t.value
    FROM retention.findings f, jsonb_each_text(jsonb_build_object(
        'ledger', f.ledger, 'vendor', f.vendor, 'operator', f.operator, 'wallet', f.wallet)) AS t (key, value)
) texts
WHERE position(%(user_id)s IN value) > 0
GROUP BY place
ORDER BY place
