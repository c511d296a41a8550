-- Fragment, as CTEs with their SELECT: settles the rows of `locked`, now that `left_open` tells which rounds the
-- operator's function did not close.

-- The rows. A probe does not unsay the vendor's answer to the request.
settled AS (
    UPDATE retention.cancellations c
    SET state = r.state, attempt_uuid = r.uuid, lease_until = NULL,
        error_code = CASE WHEN r.kind = 'cancel' THEN r.error_code ELSE c.error_code END,
        description = CASE WHEN r.kind = 'cancel' THEN r.description ELSE c.description END,
        currency = r.currency, amount = r.amount, transaction_id = r.transaction_id,
        -- The reply to a cancel request tells no winnings: the newest answer to a question stands.
        winnings = coalesce(r.winnings, c.winnings),
        may_have_taken_effect = r.may_have_taken_effect, refusal_pending_probe = r.refusal_pending_probe,
        conflict = r.conflict,
        detail = coalesce(r.refusal, CASE
            WHEN r.outcome = 'in_progress' AND r.state = 'planned' THEN NULL
            WHEN r.kind = 'status' AND c.refusal_pending_probe THEN concat_ws('; ', c.detail, r.detail)
            ELSE r.detail END),
        settled_at = CASE WHEN r.state NOT IN ('planned', 'retrying', 'in_doubt') THEN statement_timestamp() END,
        due_at = CASE WHEN r.state IN ('retrying', 'in_doubt')
                      THEN statement_timestamp() + make_interval(secs => r.due_in) END,
        needs_follow_up = r.state IN ('retrying', 'in_doubt'),
        -- The row's count may have been lost where the attempt was not.
        attempts = greatest(c.attempts, (r.kind = 'cancel')::integer),
        -- A request that the vendor turned away, such as by a throttle, uses no attempt.
        attempts_this_run = c.attempts_this_run
            - (coalesce(r.uncounted, false) AND c.attempt_uuid = r.uuid AND r.kind = 'cancel')::integer,
        probes_this_run = c.probes_this_run
            - (coalesce(r.uncounted, false) AND c.attempt_uuid = r.uuid AND r.kind = 'status')::integer,
        in_progress_at = CASE WHEN r.outcome = 'in_progress' THEN r.sent_at END,
        incomplete = coalesce(r.incomplete, false), review = r.review
    FROM (
        SELECT
            l.*, closes AND (%(close_error)s::text IS NOT NULL OR o.id IS NOT NULL) AS conflict,
            closes AND (%(close_error)s::text IS NOT NULL OR coalesce(o.refused, false)) AS refuses,
            CASE WHEN NOT closes THEN NULL
                 WHEN %(close_error)s::text IS NOT NULL THEN %(close_error)s
                 WHEN o.refused THEN %(not_returned)s
                 WHEN o.id IS NOT NULL THEN concat_ws('; ', l.detail, %(not_open)s::text)
            END AS refusal
        FROM locked l CROSS JOIN LATERAL (SELECT l.state IN ('cancelled', 'already_cancelled') AS closes) k
        LEFT JOIN left_open o ON o.id = l.id
    ) r
    WHERE c.id = r.id AND c.id >= %(first_id)s
    RETURNING c.*, r.uuid::text AS uuid, r.refuses, r.tried_before AS tried
),

-- `find` looks a refund's transaction up here, unless it is the transaction of the bet.
transactions_noted AS (
    INSERT INTO retention.other_transactions (transaction_id, cancellation_id)
    SELECT s.transaction_id, s.id FROM settled s
    WHERE s.transaction_id IS NOT NULL AND s.transaction_id IS DISTINCT FROM s.bet_transaction_id
    ON CONFLICT DO NOTHING
),

-- The new hashes of the attempts, and of the settled rows.
leaves_by_run AS (
    SELECT
        a.run_id, 'attempt' AS subject, a.uuid::text AS id,
        -- include shared/attempt_leaf.sql
        AS hash
    FROM noted a
    UNION ALL
    SELECT
        c.run_id, 'cancellation', c.id::text,
        -- include shared/cancellation_leaf.sql
    FROM settled c, retention.ledger_key k WHERE c.settled_at IS NOT NULL
),

-- For the evidence.
about AS (
    SELECT %(replica)s::text AS replica, 'settled' AS kind, NULL::json AS facts
),

-- include shared/evidence_by_run.sql
,

-- The batch's marks for the failure-ratio rail, in the order of the replies, and its refused closings.
counted AS (
    SELECT
        coalesce(string_agg(r.failed::integer::text, '' ORDER BY r.replied_at, r.id)
                     FILTER (WHERE r.failed IS NOT NULL AND NOT s.tried), '') AS marks,
        coalesce(string_agg(r.failed::integer::text, '' ORDER BY r.replied_at, r.id)
                     FILTER (WHERE r.failed IS NOT NULL AND s.tried), '') AS marks_tried_before,
        count(*) FILTER (WHERE s.refuses) AS refused
    FROM reply r JOIN settled s ON s.id = r.id
),

-- The run keeps them; a batch without any leaves its row alone.
run_counted AS (
    UPDATE retention.runs
    SET recent_replies = right(recent_replies || counted.marks, 200),
        recent_replies_tried_before = right(recent_replies_tried_before || counted.marks_tried_before, 200),
        refused_closings = refused_closings + counted.refused
    FROM counted
    WHERE run_id = %(run_id)s AND (counted.marks <> '' OR counted.marks_tried_before <> '' OR counted.refused > 0)
    RETURNING recent_replies, recent_replies_tried_before, refused_closings
)

SELECT
    s.id, s.uuid, s.conflict, s.stake, s.stake_currency, s.bet_transaction_id,
    w.recent_replies, w.recent_replies_tried_before, w.refused_closings
FROM settled s FULL JOIN run_counted w ON false
UNION ALL
-- Rows that an earlier try of this batch wrote, and whose answer was lost.
SELECT c.id, c.attempt_uuid::text, c.conflict, c.stake, c.stake_currency, c.bet_transaction_id, NULL, NULL, NULL
FROM reply r
JOIN retention.cancellations c
    ON c.id = r.id AND c.id >= %(first_id)s AND c.attempt_uuid = r.uuid AND c.state = r.state
WHERE %(again)s
UNION ALL
-- Replies without an attempt on record: its commit was lost.
SELECT NULL, r.uuid::text, NULL, NULL, NULL, NULL, NULL, NULL, NULL
FROM reply r WHERE NOT EXISTS (SELECT FROM noted n WHERE n.uuid = r.uuid)
