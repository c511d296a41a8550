-- Purpose: Records an archive, with its evidence. A round with an open finding may not leave.
-- Locks: none.
-- Returns: one row: `recorded`, and the number of `found` rounds that keep it from being recorded.
WITH

-- Findings since the month was looked through.
found AS (
    SELECT count(*) AS rounds
    FROM retention.findings f
    WHERE f.resolved_at IS NULL AND f.cancellation_id BETWEEN %(first)s AND %(last)s
      AND f.cancellation_id <> ALL (%(kept)s::bigint[])
),

-- The archive.
added AS (
    INSERT INTO retention.archives
        (name, month, part, first_id, last_id, kept, entries, files, runs, opened_from, first_at, last_at, archived_by)
    SELECT
        %(name)s, %(month)s, %(part)s, %(first)s, %(last)s, cardinality(%(kept)s::bigint[]), %(entries)s,
        %(files)s::jsonb, %(runs)s::uuid[], %(opened_from)s, %(first_at)s, %(last_at)s, %(by)s
    FROM found WHERE found.rounds = 0
    RETURNING *
),

-- Its hash.
leaves AS (
    SELECT
        'archive' AS subject, v.name AS id,
        -- include shared/archive_leaf.sql
        AS hash
    FROM added v
),

-- For the evidence.
about AS (
    SELECT NULL::uuid AS run_id, NULL::text AS replica, 'archived' AS kind, json_build_object(
        'by', %(by)s::text, 'archive', %(name)s::text, 'kept', cardinality(%(kept)s::bigint[]),
        'files', %(files)s::json) AS facts
),

-- include shared/evidence_entry.sql

SELECT EXISTS (SELECT FROM added) AS recorded, found.rounds AS found FROM found
