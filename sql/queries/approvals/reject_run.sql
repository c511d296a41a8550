-- Purpose: Records that a person rejects the plan of a waiting run, and cancels the run: its rounds are settled as not
--     sent.
-- Locks: the run and its unsent rows, until the commit.
-- Returns: the verdict, and how many rounds are not sent.
WITH

-- The verdict, and the run.
decision AS MATERIALIZED (
    SELECT d.verdict, d.decided
    FROM retention.reject_run(%(run_id)s, %(by)s, %(digest)s, %(note)s, %(reason)s, %(replica)s) d
),

-- The run, if it is rejected.
closed AS (
    SELECT (d.decided).* FROM decision d WHERE d.verdict = 'rejected_now'
),

-- include shared/ended_with_run.sql

-- For the evidence.
about AS (
    SELECT
        %(replica)s::text AS replica, 'rejected' AS kind,
        json_build_object('by', %(by)s::text, 'note', %(note)s::text, 'digest', (d.decided).plan_digest) AS facts
    FROM decision d
),

-- include shared/evidence_by_run.sql

SELECT d.verdict, (SELECT count(*) FROM ended WHERE state = 'not_sent') AS not_sent FROM decision d
