-- Purpose: Records anew what only a month's entries of evidence tell of rows that do not leave with them, so that the
--     entries can leave. With `kind` = `kept`: of rows that stay in the ledger. With `left`: that rows leave, or have
--     left, which entries of other months name. The hashes are those of the evidence, so a changed row stays found.
-- Locks: none; the caller keeps the month from changes.
-- Returns: one row, with the number of recorded rows.
WITH

-- include shared/remaining_rows.sql
,

-- For the evidence.
about AS (
    SELECT NULL::text AS replica, %(kind)s::text AS kind,
        json_build_object('by', %(by)s::text, 'archive', %(name)s::text) AS facts
),

-- include shared/evidence_by_run.sql

SELECT count(*) AS rows FROM leaves_by_run
