-- Purpose: Estimates the rows of cancellations by state, from the statistics of each partition's last ANALYZE.
-- Locks: none.
-- Returns: a row per state that the statistics know; no row before the first ANALYZE.
SELECT v.state, round(sum(v.share * greatest(r.reltuples, 0))::numeric)::bigint AS rounds
FROM pg_catalog.pg_inherits i
JOIN pg_catalog.pg_class r ON r.oid = i.inhrelid
JOIN pg_catalog.pg_stats t ON t.schemaname = 'retention' AND t.tablename = r.relname AND t.attname = 'state'
CROSS JOIN LATERAL unnest(t.most_common_vals::text::text[], t.most_common_freqs) AS v (state, share)
WHERE i.inhparent = 'retention.cancellations'::regclass
GROUP BY v.state
ORDER BY rounds DESC, v.state
