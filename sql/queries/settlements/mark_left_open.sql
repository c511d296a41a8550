-- Purpose: After close_rounds, in its transaction, marks rounds as conflicts that the function returned as closed and
--     the operator's view still has open. The run counts them as refused closings.
-- Locks: the marked cancellations and their run.
-- Returns: the attempt's uuid of each marked row, with the run's count.
WITH

-- By the key: with EXISTS the planner may read the whole view. A round that was opened meanwhile is another one.
left_open AS MATERIALIZED (
    SELECT c.id
    FROM retention.cancellations c
    WHERE c.id = ANY (%(ids)s::bigint[]) AND c.id >= %(first_id)s AND NOT c.conflict AND (
        SELECT o.opened_at IS NOT DISTINCT FROM c.opened_at
        FROM retention.open_rounds o WHERE o.partner = c.partner AND o.round_id = c.round_id LIMIT 1)
),

-- The rows stay listed for review.
noted AS (
    UPDATE retention.cancellations c
    SET conflict = true, detail = concat_ws('; ', c.detail, %(detail)s::text)
    FROM left_open l WHERE c.id = l.id AND c.id >= %(first_id)s
    RETURNING c.*
),

-- Their new hashes.
leaves_by_run AS (
    SELECT
        c.run_id, 'cancellation' AS subject, c.id::text AS id,
        -- include shared/cancellation_leaf.sql
        AS hash
    FROM noted c, retention.ledger_key k WHERE c.settled_at IS NOT NULL
),

-- For the evidence.
about AS (
    SELECT %(replica)s::text AS replica, 'conflict' AS kind, NULL::json AS facts
),

-- include shared/evidence_by_run.sql
,

-- For the rail `max_conflicts`.
counted AS (
    UPDATE retention.runs SET refused_closings = refused_closings + (SELECT count(*) FROM left_open)
    WHERE run_id = %(run_id)s AND EXISTS (SELECT FROM left_open)
    RETURNING refused_closings
)

SELECT n.attempt_uuid::text AS uuid, k.refused_closings FROM noted n LEFT JOIN counted k ON true
