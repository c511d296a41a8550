-- Purpose: Sends nothing more in a run, to one partner or (NULL) to all: its deadline has come, or the partner cannot
--     be reached. Rounds without a doubt are settled as not sent; doubts stay. `tried_only`: rounds that an earlier
--     run has tried. `doubts_only`: no more probes. On a server that may lack claims, nothing is closed before a
--     process has waited there: see run_control/trust_server.sql.
-- Locks: the unsent rows, until the commit.
-- Returns: rounds by partner, market and state.
WITH

-- Partners whose claims are all on record. A server that has just restarted or taken over may lack some, and a round
-- whose request is under way is not unsent.
known AS MATERIALIZED (
    SELECT s.partner FROM retention.partner_state s
    WHERE s.kind = 'cancel' AND s.server_started = pg_postmaster_start_time()
),

-- The rows end in one statement.
ended AS (
    UPDATE retention.cancellations c
    SET
        -- include shared/unsent_outcome.sql
        , detail = coalesce(c.detail || '; ', '') || %(why)s
    WHERE ((c.run_id = %(run_id)s AND c.adopted_by_run IS NULL) OR c.adopted_by_run = %(run_id)s)
      AND (%(partner)s::text IS NULL OR c.partner = %(partner)s)
      AND c.partner IN (SELECT k.partner FROM known k)
      AND (NOT %(tried_only)s OR c.tried_before OR c.run_id <> %(run_id)s)
      AND ((c.state IN ('planned', 'retrying') AND NOT %(doubts_only)s)
           OR (c.state = 'in_doubt' AND c.due_at IS NOT NULL))
    RETURNING c.*
),

-- The new hashes of the rows that are settled.
leaves_by_run AS (
    SELECT
        c.run_id, 'cancellation' AS subject, c.id::text AS id,
        -- include shared/cancellation_leaf.sql
        AS hash
    FROM ended c, retention.ledger_key k WHERE c.settled_at IS NOT NULL
),

-- For the evidence.
about AS (
    SELECT %(replica)s::text AS replica, 'unsent' AS kind, NULL::json AS facts
),

-- include shared/evidence_by_run.sql

SELECT partner, market, state, count(*) AS rounds FROM ended GROUP BY partner, market, state
