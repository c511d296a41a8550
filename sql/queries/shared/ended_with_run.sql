-- Fragment, as CTEs: ends the unsent rows of the runs of `closed` for their `halt_reason`; and the new hashes of those
-- runs and of their settled rows, in `leaves_by_run`.

-- The rows end with their run. Claims are left to the processes that hold them.
ended AS (
    UPDATE retention.cancellations c
    SET
        -- include shared/unsent_outcome.sql
        , detail = coalesce(c.detail || '; ', '') || k.halt_reason
    FROM closed k
    WHERE ((c.run_id = k.run_id AND c.adopted_by_run IS NULL) OR c.adopted_by_run = k.run_id)
      AND (c.state IN ('planned', 'retrying') OR (c.state = 'in_doubt' AND c.due_at IS NOT NULL))
    RETURNING c.*
),

-- For the evidence.
leaves_by_run AS (
    SELECT
        r.run_id, 'run' AS subject, r.run_id::text AS id,
        -- include shared/run_leaf.sql
        AS hash
    FROM closed r
    UNION ALL
    SELECT
        c.run_id, 'cancellation', c.id::text,
        -- include shared/cancellation_leaf.sql
    FROM ended c, retention.ledger_key k WHERE c.settled_at IS NOT NULL
),
