-- After close_rounds, in its transaction: the rounds that it says it has closed, and that the operator's view still has open,
-- are conflicts. The run counts them as refused closings.
WITH left_open AS MATERIALIZED (
    SELECT c.id
    FROM retention.cancellations c
    WHERE c.id = ANY (%(ids)s::bigint[]) AND NOT c.conflict AND (
        -- By the key: with EXISTS the planner may read the whole view. A round that was opened meanwhile is another one.
        SELECT o.opened_at IS NOT DISTINCT FROM c.opened_at
        FROM retention.open_rounds o WHERE o.partner = c.partner AND o.round_id = c.round_id LIMIT 1)
), noted AS (
    UPDATE retention.cancellations c
    SET conflict = true, detail = concat_ws('; ', c.detail,
        'close_rounds: it returned the round, which the operator''s view still has open')
    FROM left_open l WHERE c.id = l.id
    RETURNING c.attempt_uuid
), counted AS (
    UPDATE retention.runs SET refused_closings = refused_closings + (SELECT count(*) FROM left_open)
    WHERE run_id = %(run_id)s AND EXISTS (SELECT FROM left_open)
    RETURNING refused_closings
)
SELECT n.attempt_uuid::text AS uuid, k.refused_closings FROM noted n LEFT JOIN counted k ON true
