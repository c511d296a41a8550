-- Fragment: the end of a claim. Records the attempts of `claimed`, skips rounds that must not be called, and lists all
-- of them.

-- The request is on record before it leaves.
attempts_recorded AS (
    INSERT INTO retention.attempts (uuid, cancellation_id, run_id, kind, replica, claimed_at)
    SELECT attempt_uuid, id, %(run_id)s, %(kind)s, %(replica)s, clock_timestamp() FROM claimed
),

-- Rounds that were closed, changed, or put on hold since the plan.
skipped AS (
    -- include shared/skipped_rounds.sql
),

-- The new hashes of the rows that are settled.
leaves_by_run AS (
    SELECT
        c.run_id, 'cancellation' AS subject, c.id::text AS id,
        -- include shared/cancellation_leaf.sql
        AS hash
    FROM skipped c, retention.ledger_key k WHERE c.settled_at IS NOT NULL
),

-- For the evidence.
about AS (
    SELECT %(replica)s::text AS replica, 'skipped' AS kind, NULL::json AS facts
),

-- include shared/evidence_by_run.sql

SELECT
    c.id, c.run_id::text, c.state, c.market, c.game_id, c.user_id, c.round_id, c.attempt_uuid::text AS uuid,
    c.attempts_this_run, c.probes_this_run, c.may_have_taken_effect, c.refusal_pending_probe, NULL AS detail,
    extract(epoch FROM c.slot)::float8 AS slot,
    extract(epoch FROM v.at)::float8 AS at, v.step
FROM claimed c, reserved v
UNION ALL
SELECT
    d.id, d.run_id::text, d.state, d.market, NULL, NULL, d.round_id, NULL, 0, 0, false, false, d.detail, NULL, NULL,
    NULL
FROM skipped d
UNION ALL
-- Rounds for which the horizon had no slot left.
SELECT w.id, NULL, 'no_slot', NULL, NULL, NULL, NULL, NULL, 0, 0, false, false, NULL, NULL, NULL, NULL
FROM to_send w WHERE w.nth > coalesce((SELECT slots FROM reserved), 0)
UNION ALL
-- A closed gate is told apart from a plan without rounds left.
SELECT NULL, NULL, 'gate_closed', NULL, NULL, NULL, NULL, NULL, 0, 0, false, false, NULL, NULL, NULL, NULL
WHERE NOT EXISTS (SELECT FROM allowed)
ORDER BY slot
