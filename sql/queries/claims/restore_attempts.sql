-- Purpose: Records attempts again whose commit was lost: a standby that lagged behind took over, or the server crashed
--     with synchronous_commit off. Their requests may be at the vendor. A round without another claim is claimed again
--     for its attempt; a round with one is marked as possibly cancelled already.
-- Locks: the rounds' rows, until the commit.
-- Returns: each missing attempt with the id of its cancellation; NULL where the ledger has lost the row too.
WITH

-- The attempts must not be lost a second time.
durable AS MATERIALIZED (
    -- include session/raise_durability.sql
),

-- The claims that the process has in hand.
given AS (
    SELECT g.*
    FROM (SELECT count(*) FROM durable) d, json_to_recordset(%(claims)s::json) AS g (
        id bigint, uuid uuid, kind text, partner text, round_id text, user_id text, claimed_at float8,
        may_have_taken_effect boolean)
),

-- Those without an attempt on record.
missing AS (
    SELECT g.* FROM given g WHERE NOT EXISTS (SELECT FROM retention.attempts a WHERE a.uuid = g.uuid)
),

-- Their rows. The id may be another round's by now, since a lost round may have been planned anew; and a later run may
-- have planned the round again, so the row that holds the round comes first.
target AS (
    SELECT DISTINCT ON (m.uuid) m.uuid, m.kind, m.claimed_at, m.may_have_taken_effect, c.id
    FROM missing m
    LEFT JOIN retention.cancellations c
        ON c.partner = m.partner AND c.round_id = m.round_id AND c.user_id = m.user_id
       AND (c.id = m.id OR c.holds_round)
    ORDER BY m.uuid, NOT c.holds_round, c.id IS DISTINCT FROM m.id
),

-- Ids of cancellations begin at 1: an attempt of a lost round is recorded with 0.
recorded AS (
    INSERT INTO retention.attempts (uuid, cancellation_id, run_id, kind, replica, claimed_at)
    SELECT uuid, coalesce(id, 0), %(run_id)s, kind, %(replica)s, to_timestamp(claimed_at)
    FROM target
    ON CONFLICT (uuid, cancellation_id) DO NOTHING
    RETURNING uuid
),

-- Attempts that this statement recorded; a concurrent one claims and counts its own. `own` is an older claim of this
-- very process that holds the row. The process has finished that claim, and its settlement is lost: the row is free.
ours AS (
    SELECT t.uuid, t.kind, t.may_have_taken_effect, t.id, (
        SELECT a.uuid FROM retention.attempts a
        WHERE a.uuid = c.attempt_uuid AND a.replica = %(replica)s AND a.claimed_at < to_timestamp(t.claimed_at)) AS own
    FROM target t JOIN retention.cancellations c ON c.id = t.id
    -- One hash of `recorded` for all rows.
    WHERE (t.uuid IN (SELECT r.uuid FROM recorded r)) IS TRUE
),

-- Older claims that give their rows up. If their process knows better, it writes their replies or releases again.
lost AS (
    UPDATE retention.attempts a
    SET outcome = 'in_doubt', detail = %(detail)s
    FROM ours t WHERE a.uuid = t.own AND a.outcome IS NULL
    RETURNING a.*
),

-- Claims the rows again. SET reads the newest version of a row: another process may have claimed it since `ours`.
claimed AS (
    UPDATE retention.cancellations c
    SET state = 'claimed',
        attempt_uuid = CASE WHEN c.state = 'claimed' AND c.attempt_uuid IS DISTINCT FROM t.own
                            THEN c.attempt_uuid ELSE t.uuid END,
        lease_until = CASE WHEN c.state = 'claimed' AND c.attempt_uuid IS DISTINCT FROM t.own
                           THEN c.lease_until ELSE statement_timestamp() + make_interval(secs => %(kept)s) END,
        due_at = NULL,
        -- A claim knows of the doubt that an earlier request left, though that settlement is lost too.
        may_have_taken_effect = c.may_have_taken_effect OR t.may_have_taken_effect
            OR (t.kind = 'cancel' AND c.state = 'claimed' AND c.attempt_uuid IS DISTINCT FROM t.own),
        attempts = c.attempts + (t.kind = 'cancel')::integer,
        attempts_this_run = c.attempts_this_run + (t.kind = 'cancel')::integer,
        probes_this_run = c.probes_this_run + (t.kind = 'status')::integer
    FROM ours t
    WHERE c.id = t.id AND c.state IN ('planned', 'claimed', 'retrying', 'in_doubt')
),

-- A row that was settled meanwhile still counts the request.
counted AS (
    UPDATE retention.cancellations c SET attempts = c.attempts + 1
    FROM ours t
    WHERE c.id = t.id AND t.kind = 'cancel' AND c.state NOT IN ('planned', 'claimed', 'retrying', 'in_doubt')
    RETURNING c.*
),

-- The new hashes of the attempts, and of the settled rows.
leaves_by_run AS (
    SELECT
        a.run_id, 'attempt' AS subject, a.uuid::text AS id,
        -- include shared/attempt_leaf.sql
        AS hash
    FROM lost a
    UNION ALL
    SELECT
        c.run_id, 'cancellation', c.id::text,
        -- include shared/cancellation_leaf.sql
    FROM counted c, retention.ledger_key k WHERE c.settled_at IS NOT NULL
),

-- For the evidence.
about AS (
    SELECT %(replica)s::text AS replica, 'restored' AS kind, NULL::json AS facts
),

-- include shared/evidence_by_run.sql

SELECT uuid::text, id FROM target
