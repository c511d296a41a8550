-- Puts attempts on record again whose commit was lost: a standby that lagged behind took over, or the server crashed with
-- synchronous_commit off. Their requests may be at the vendor. A round that nobody else has claimed meanwhile is claimed
-- again for its attempt; one that somebody has is marked as one that may have been cancelled already.
-- Returns each missing attempt with the row that it belongs to, NULL where the ledger has lost that too.
WITH durable AS MATERIALIZED (
    -- include session/raise_durability.sql
), given AS (
    SELECT g.* FROM (SELECT count(*) FROM durable) d, json_to_recordset(%(claims)s::json)
        AS g (id bigint, uuid uuid, kind text, partner text, round_id text, user_id text, claimed_at float8, may_have_taken_effect boolean)
), missing AS (
    SELECT g.* FROM given g WHERE NOT EXISTS (SELECT FROM retention.attempts a WHERE a.uuid = g.uuid)
), target AS (
    -- The id may be another round's by now: what was lost with the attempt may have been planned anew.
    SELECT DISTINCT ON (m.uuid) m.uuid, m.kind, m.claimed_at, m.may_have_taken_effect, c.id
    FROM missing m
    LEFT JOIN retention.cancellations c
        ON c.partner = m.partner AND c.round_id = m.round_id AND c.user_id = m.user_id AND (c.id = m.id OR c.holds_round)
    ORDER BY m.uuid, c.id IS DISTINCT FROM m.id
), recorded AS (
    INSERT INTO retention.attempts (uuid, cancellation_id, run_id, kind, replica, claimed_at)
    -- Cancellations begin at 1: the attempt stays on record also where its round does not.
    SELECT uuid, coalesce(id, 0), %(run_id)s, kind, %(replica)s, to_timestamp(claimed_at)
    FROM target
    ON CONFLICT (uuid) DO NOTHING
    RETURNING uuid
), ours AS (
    -- `own`: the older claim of this very process that holds the row. The process is done with that one, and what it wrote
    -- down of it is lost: the row is free.
    SELECT t.uuid, t.kind, t.may_have_taken_effect, t.id, (
        SELECT a.uuid FROM retention.attempts a
        WHERE a.uuid = c.attempt_uuid AND a.replica = %(replica)s AND a.claimed_at < to_timestamp(t.claimed_at)) AS own
    FROM target t JOIN retention.cancellations c ON c.id = t.id
    -- What another look has just recorded is claimed and counted by that. One hash of `recorded` for all.
    WHERE (t.uuid IN (SELECT r.uuid FROM recorded r)) IS TRUE
), claimed AS (
    UPDATE retention.cancellations c
    -- The row of this moment tells whether another process has it: that one may have claimed it since the look.
    SET state = 'claimed',
        attempt_uuid = CASE WHEN c.state = 'claimed' AND c.attempt_uuid IS DISTINCT FROM t.own
                            THEN c.attempt_uuid ELSE t.uuid END,
        lease_until = CASE WHEN c.state = 'claimed' AND c.attempt_uuid IS DISTINCT FROM t.own
                           THEN c.lease_until ELSE statement_timestamp() + make_interval(secs => %(kept)s) END,
        due_at = NULL,
        -- The claim itself knows of a doubt that an earlier request left, and whose settlement is lost as well.
        may_have_taken_effect = c.may_have_taken_effect OR t.may_have_taken_effect
            OR (t.kind = 'cancel' AND c.state = 'claimed' AND c.attempt_uuid IS DISTINCT FROM t.own),
        attempts = c.attempts + (t.kind = 'cancel')::integer, attempts_this_run = c.attempts_this_run + (t.kind = 'cancel')::integer,
        probes_this_run = c.probes_this_run + (t.kind = 'status')::integer
    FROM ours t
    WHERE c.id = t.id AND c.state IN ('planned', 'claimed', 'retrying', 'in_doubt')
), counted AS (
    -- Of a row that was settled meanwhile the request counts all the same.
    UPDATE retention.cancellations c SET attempts = c.attempts + 1
    FROM ours t
    WHERE c.id = t.id AND t.kind = 'cancel' AND c.state NOT IN ('planned', 'claimed', 'retrying', 'in_doubt')
)
SELECT uuid::text, id FROM target
