-- Fragment, as CTEs: the replies of a batch, and in `locked` the replies that change their rows.

-- Each setting is in force before anything is written.
settings AS MATERIALIZED (
    -- include shared/settlement_settings.sql
),

-- The batch.
reply AS (
    SELECT r.* FROM (SELECT count(*) FROM settings) s, json_to_recordset(%(replies)s::json) AS r (
        id bigint, uuid uuid, kind text, state text, outcome text, sent_at timestamptz, replied_at timestamptz,
        http_status smallint, error_code text, description text, currency text, amount numeric, transaction_id text,
        detail text, due_in float8, may_have_taken_effect boolean, refusal_pending_probe boolean, failed boolean,
        uncounted boolean, incomplete boolean, review text, winnings numeric)
),

-- Every reply is written to its attempt.
noted AS (
    UPDATE retention.attempts a
    SET sent_at = r.sent_at, replied_at = r.replied_at, http_status = r.http_status, error_code = r.error_code,
        outcome = r.outcome, detail = r.detail
    FROM reply r
    WHERE a.uuid = r.uuid AND (a.cancellation_id >= %(first_id)s OR a.cancellation_id = 0)
      -- The array is for the index: to join alone, the planner reads all attempts of the run.
      AND a.uuid = ANY (ARRAY(SELECT uuid FROM reply))
    RETURNING a.*
),

-- The process that holds the claim decides. A reply after its lease counts only where it is certain.
locked AS (
    SELECT r.*, c.partner, c.round_id, c.run_id <> %(run_id)s OR c.tried_before AS tried_before
    FROM reply r JOIN retention.cancellations c ON c.id = r.id AND c.id >= %(first_id)s
    -- One hash of `noted`: a join would read it once per reply, where the planner expects one.
    WHERE (r.uuid IN (SELECT n.uuid FROM noted n)) IS TRUE
      AND ((c.state = 'claimed' AND c.attempt_uuid = r.uuid)
           OR (r.state IN ('cancelled', 'already_cancelled', 'already_completed')
               AND c.state IN ('planned', 'claimed', 'retrying', 'in_doubt')))
    ORDER BY c.id FOR UPDATE OF c
)
