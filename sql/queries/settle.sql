-- A batch of replies: attempts, cancellations and the operator's own table, together or not at all. A reply whose attempt
-- is not on record (its commit was lost) changes nothing, and comes back without an id.
WITH settings AS MATERIALIZED (
    -- include shared/settlement_settings.sql
), reply AS (
    SELECT r.* FROM (SELECT count(*) FROM settings) s, json_to_recordset(%(replies)s::json) AS r (
        id bigint, uuid uuid, kind text, state text, outcome text, sent_at timestamptz, replied_at timestamptz,
        http_status smallint, error_code text, description text, currency text, amount numeric, transaction_id text,
        detail text, due_in float8, doubtful boolean, refused boolean, failed boolean, uncounted boolean,
        incomplete boolean, review text)
), noted AS (
    UPDATE retention.attempts a
    SET sent_at = r.sent_at, replied_at = r.replied_at, http_status = r.http_status, error_code = r.error_code,
        outcome = r.outcome, detail = r.detail
    FROM reply r WHERE a.uuid = r.uuid
    RETURNING a.uuid
), locked AS (
    SELECT r.*, c.partner, c.round_id
    FROM reply r JOIN noted n ON n.uuid = r.uuid JOIN retention.cancellations c ON c.id = r.id
    -- Whoever holds the claim decides. A reply that comes after its lease is heeded only where it is certain.
    WHERE (c.state = 'claimed' AND c.attempt_uuid = r.uuid)
       OR (r.state IN ('cancelled', 'already_cancelled', 'already_completed')
           AND c.state IN ('planned', 'claimed', 'retrying', 'in_doubt'))
    ORDER BY c.id FOR UPDATE OF c
), closing AS (
    SELECT
        array_agg(partner ORDER BY id) AS partners, array_agg(round_id ORDER BY id) AS round_ids,
        array_agg(statement_timestamp() ORDER BY id) AS at, array_agg(currency ORDER BY id) AS currencies,
        array_agg(amount ORDER BY id) AS amounts, array_agg(transaction_id ORDER BY id) AS transaction_ids
    FROM locked WHERE state IN ('cancelled', 'already_cancelled') AND %(close_error)s::text IS NULL
    HAVING count(*) > 0
), closed AS MATERIALIZED (
    SELECT f.partner, f.round_id
    FROM closing c, LATERAL retention.close_rounds(
        c.partners, c.round_ids, c.at, c.currencies, c.amounts, c.transaction_ids) AS f (partner, round_id)
), unasked AS (
    -- A function that closes rounds that it was not asked about, or one twice, closes somebody else's.
    SELECT string_agg(DISTINCT coalesce(k.partner, 'NULL') || '/' || coalesce(k.round_id, 'NULL'), ', ') AS rounds
    FROM (SELECT partner, round_id, count(*) AS times FROM closed GROUP BY partner, round_id) k
    WHERE k.times > 1 OR NOT EXISTS (
        SELECT FROM locked r
        WHERE r.partner = k.partner AND r.round_id = k.round_id AND r.state IN ('cancelled', 'already_cancelled'))
    HAVING count(*) > 0
), left_open AS (
    -- The function did not return them. Where the view still has them open, it refused, and said nothing.
    SELECT r.id, coalesce((
        -- By the key: with EXISTS the planner may read the whole view.
        SELECT true FROM retention.open_rounds o WHERE o.partner = r.partner AND o.round_id = r.round_id LIMIT 1
    ), false) AS refused
    FROM locked r
    WHERE %(close_error)s::text IS NULL AND r.state IN ('cancelled', 'already_cancelled')
      AND NOT EXISTS (SELECT FROM closed k WHERE k.partner = r.partner AND k.round_id = r.round_id)
), settled AS (
    UPDATE retention.cancellations c
    SET state = r.state, attempt_uuid = r.uuid, lease_until = NULL,
        -- A question does not unsay what the vendor answered to the request.
        error_code = CASE WHEN r.kind = 'cancel' THEN r.error_code ELSE c.error_code END,
        description = CASE WHEN r.kind = 'cancel' THEN r.description ELSE c.description END,
        currency = r.currency, amount = r.amount, transaction_id = r.transaction_id, doubtful = r.doubtful, refused = r.refused,
        conflict = r.conflict, detail = coalesce(r.refusal, CASE WHEN r.outcome = 'in_progress' AND r.state = 'planned' THEN NULL
                                                WHEN r.kind = 'status' AND c.refused
                                                THEN concat_ws('; ', c.detail, r.detail) ELSE r.detail END),
        settled_at = CASE WHEN r.state NOT IN ('planned', 'retrying', 'in_doubt') THEN statement_timestamp() END,
        due_at = CASE WHEN r.state IN ('retrying', 'in_doubt')
                      THEN statement_timestamp() + make_interval(secs => r.due_in) END,
        unsettled = r.state IN ('retrying', 'in_doubt'),
        holds_round = r.state IN ('planned', 'retrying', 'in_doubt', 'cancelled', 'already_cancelled'),
        -- The row's count may have been lost where the attempt was not.
        attempts = greatest(c.attempts, (r.kind = 'cancel')::integer),
        -- A request that was turned away at the door uses no attempt.
        tries = c.tries - (coalesce(r.uncounted, false) AND c.attempt_uuid = r.uuid AND r.kind = 'cancel')::integer,
        probes = c.probes - (coalesce(r.uncounted, false) AND c.attempt_uuid = r.uuid AND r.kind = 'status')::integer,
        in_progress_at = CASE WHEN r.outcome = 'in_progress' THEN r.sent_at END,
        incomplete = coalesce(r.incomplete, false), review = r.review
    FROM (
        SELECT
            l.*, closes AND (%(close_error)s::text IS NOT NULL OR o.id IS NOT NULL) AS conflict,
            closes AND (%(close_error)s::text IS NOT NULL OR coalesce(o.refused, false)) AS refuses,
            CASE WHEN NOT closes THEN NULL
                 WHEN %(close_error)s::text IS NOT NULL THEN %(close_error)s
                 WHEN o.refused THEN 'close_rounds: did not return it, and the operator''s view still has it open'
                 WHEN o.id IS NOT NULL THEN concat_ws('; ', l.detail, 'not open any more in the operator''s view')
            END AS refusal
        FROM locked l CROSS JOIN LATERAL (SELECT l.state IN ('cancelled', 'already_cancelled') AS closes) k
        LEFT JOIN left_open o ON o.id = l.id
    ) r
    WHERE c.id = r.id
    RETURNING c.id, r.uuid::text, c.conflict, c.stake, c.stake_currency, c.bet_transaction_id, r.refuses
), counted AS (
    SELECT
        coalesce(string_agg(r.failed::integer::text, '' ORDER BY r.replied_at, r.id) FILTER (WHERE r.failed IS NOT NULL),
                 '') AS marks,
        count(*) FILTER (WHERE s.refuses) AS refused
    FROM reply r JOIN settled s ON s.id = r.id
), seen AS (
    UPDATE retention.runs
    SET recent = right(recent || counted.marks, 200), refused_closings = refused_closings + counted.refused
    FROM counted WHERE run_id = %(run_id)s AND (counted.marks <> '' OR counted.refused > 0)
    RETURNING recent, refused_closings
)
SELECT s.id, s.uuid, s.conflict, s.stake, s.stake_currency, s.bet_transaction_id, w.recent, w.refused_closings
FROM settled s FULL JOIN seen w ON false
UNION ALL
-- What an earlier try wrote whose answer was lost.
SELECT c.id, c.attempt_uuid::text, c.conflict, c.stake, c.stake_currency, c.bet_transaction_id, NULL, NULL
FROM reply r JOIN retention.cancellations c ON c.id = r.id AND c.attempt_uuid = r.uuid AND c.state = r.state
WHERE %(again)s
UNION ALL
SELECT NULL, r.uuid::text, NULL, NULL, NULL, NULL, NULL, NULL
FROM reply r WHERE NOT EXISTS (SELECT FROM noted n WHERE n.uuid = r.uuid)
UNION ALL
SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
FROM unasked WHERE retention.refuse_closing('it returned rounds that it was not asked to close, or one twice: ' || rounds)
