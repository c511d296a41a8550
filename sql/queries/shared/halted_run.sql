-- Fragment, as CTEs with their SELECT: the evidence of the run that `halted` has changed, and its id.

-- Its new hash.
leaves AS (
    SELECT
        'run' AS subject, r.run_id::text AS id,
        -- include shared/run_leaf.sql
        AS hash
    FROM halted r
),

-- For the evidence.
about AS (
    SELECT %(run_id)s::uuid AS run_id, %(replica)s::text AS replica, 'halted' AS kind, NULL::json AS facts
),

-- include shared/evidence_entry.sql

SELECT run_id FROM halted
