-- Purpose: Records who overrode a rail of a run, when, and with which text.
-- Locks: the run, until the commit.
-- Returns: nothing.
UPDATE retention.runs
SET overrides = overrides || jsonb_build_array(jsonb_build_object(
        'rail', %(rail)s::text, 'text', %(text)s::text, 'by', %(by)s::text, 'at', to_char(
            statement_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')))
WHERE run_id = %(run_id)s
