-- Purpose: Sends nothing more in a run, to one partner or (NULL) to all: its deadline has come, or the partner cannot
--     be reached. Rounds without a doubt are settled as not sent; doubts stay. `tried_only`: rounds that an earlier
--     run has tried. `doubts_only`: no more probes. On a server that may lack claims, nothing is closed before a
--     process has waited there: see run_control/trust_server.sql. A call closes the rounds of the next blocks of ids
--     beyond the block `after`, some `rounds` of them, so that none holds its locks for long.
-- Locks: the unsent rows, until the commit.
-- Returns: rounds by partner, market and state; each with the last block, which a row without a partner has where no
--     round was closed. No row at all where there is no further block.
WITH

-- Partners whose claims are all on record. A server that has just restarted or taken over may lack some, and a round
-- whose request is under way is not unsent.
known AS MATERIALIZED (
    SELECT s.partner FROM retention.partner_state s
    WHERE s.kind = 'cancel' AND s.server_started = pg_postmaster_start_time()
),

-- The next blocks that have unsent rounds.
blocks AS MATERIALIZED (
    SELECT *
    FROM (
        SELECT t.run_id, t.partner, t.block, sum(sum(t.rounds)) OVER (ORDER BY t.block) - sum(t.rounds) AS before
        FROM retention.run_totals t
        WHERE t.worked_by = %(run_id)s
          AND ((t.state IN ('planned', 'retrying') AND NOT %(doubts_only)s) OR t.aspect = 'due')
          AND (%(partner)s::text IS NULL OR t.partner = %(partner)s) AND t.block > %(after)s
        GROUP BY t.run_id, t.partner, t.block
        HAVING sum(t.rounds) > 0
    ) b
    WHERE b.before < %(rounds)s
),

-- Their rows.
unsent AS (
    SELECT u.id
    FROM blocks b
    CROSS JOIN LATERAL (
        SELECT c.id
        FROM retention.cancellations c
        WHERE c.run_id = b.run_id AND c.partner = b.partner AND c.id BETWEEN b.block * 10000 AND b.block * 10000 + 9999
          AND coalesce(c.adopted_by_run, c.run_id) = %(run_id)s
          AND c.partner IN (SELECT k.partner FROM known k)
          AND (NOT %(tried_only)s OR c.tried_before OR c.run_id <> %(run_id)s)
          AND ((c.state IN ('planned', 'retrying') AND NOT %(doubts_only)s)
               OR (c.state = 'in_doubt' AND c.due_at IS NOT NULL))
        FOR UPDATE OF c
    ) u
),

-- The rows end in one statement.
ended AS (
    UPDATE retention.cancellations c
    SET
        -- include shared/unsent_outcome.sql
        , detail = coalesce(c.detail || '; ', '') || %(why)s
    FROM unsent u
    WHERE c.id = u.id
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

SELECT e.partner, e.market, e.state, count(e.id) AS rounds, b.block
FROM (SELECT max(block) AS block FROM blocks) b LEFT JOIN ended e ON true
WHERE b.block IS NOT NULL
GROUP BY e.partner, e.market, e.state, b.block
