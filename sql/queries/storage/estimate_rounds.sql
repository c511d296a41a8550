-- Purpose: Estimates the rows of cancellations by state, from the statistics of the last ANALYZE.
-- Locks: none.
-- Returns: a row per state that the statistics know; no row before the first ANALYZE.
SELECT v.state, round((v.share * greatest(r.reltuples, 0))::numeric)::bigint AS rounds
FROM pg_catalog.pg_stats t
JOIN pg_catalog.pg_class r ON r.oid = 'retention.cancellations'::regclass
CROSS JOIN LATERAL unnest(t.most_common_vals::text::text[], t.most_common_freqs) AS v (state, share)
WHERE t.schemaname = 'retention' AND t.tablename = 'cancellations' AND t.attname = 'state'
ORDER BY rounds DESC, v.state
