-- Totals of runs, so that no statement counts a plan. A plan may have millions of rows, and reading it also writes: the
-- first look at a row after its commit marks its page, and a page that is marked goes to the WAL as a whole.
-- Triggers keep the totals in the statement that changes the rows. No statement can forget them, and the job's login,
-- which has no right to write them, cannot forge them. A process only adds to its own rows (`writer`): no process waits
-- for another one's total, and a reader sums them up.

-- How many rounds of a run stand in a state. `worked_by` is the run that works on the round: its own, or the run that
-- has adopted its doubt. `block` is the round's id divided by ten thousand: it tells where in a plan such rounds are.
-- `aspect` is `follow_up` of a claim that is not the round's first, `due` of a doubt that waits for a probe, `review`
-- of an unsent round that needs a person, else empty. `currency` is that of the refund, and empty without one; `why` is
-- the begin of the detail of an unsent round. `writer` is the process number of the database session. Rounds of one
-- writer may be negative, since it may settle what another has planned; sums over all writers are not. A settled round
-- still counts once its row is archived.
CREATE TABLE retention.run_totals (
    worked_by  uuid NOT NULL,
    state      text NOT NULL,
    partner    text NOT NULL,
    block      bigint NOT NULL,
    run_id     uuid NOT NULL,
    aspect     text NOT NULL,
    currency   text NOT NULL,
    why        text NOT NULL,
    writer     integer NOT NULL,
    rounds     bigint NOT NULL,
    refunds    numeric NOT NULL,
    PRIMARY KEY (worked_by, state, partner, block, run_id, aspect, currency, why, writer)
) WITH (fillfactor = 50);

CREATE INDEX run_totals_by_run ON retention.run_totals (run_id, state, partner, block);

-- What a plan comes to, by the currency of its stakes; a row for each statement that has added rows. `unjudged` counts
-- the stakes that the rail `max_amount` cannot judge.
CREATE TABLE retention.plan_totals (
    run_id    uuid NOT NULL,
    currency  text,
    rounds    bigint NOT NULL,
    stake     numeric,
    unjudged  bigint NOT NULL
);

CREATE INDEX plan_totals_by_run ON retention.plan_totals (run_id);

-- A row that `review list` may have to show. It stays false from planned to cancelled, so those updates stay HOT.
ALTER TABLE retention.cancellations ADD COLUMN may_need_review boolean NOT NULL GENERATED ALWAYS AS
    (state IN ('in_doubt', 'rejected', 'already_completed') OR conflict OR incomplete
     OR (review IS NOT NULL AND state <> 'resolved')
     OR (state IN ('cancelled', 'already_cancelled')
         AND coalesce(amount <> stake OR currency <> stake_currency OR transaction_id <> bet_transaction_id, false)))
    STORED;

DROP INDEX retention.cancellations_to_review;
CREATE INDEX cancellations_to_review ON retention.cancellations (run_id) WHERE may_need_review;

-- The rows as they are begin the totals, and each change of them goes on.
DO $build$
DECLARE
    -- Adds the rows of %s, which have a `change` of 1 or -1, to the totals.
    counted CONSTANT text := $sql$
        INSERT INTO retention.run_totals AS t
            (worked_by, state, partner, block, run_id, aspect, currency, why, writer, rounds, refunds)
        SELECT
            coalesce(c.adopted_by_run, c.run_id), c.state, c.partner, c.id / 10000, c.run_id,
            CASE WHEN c.state = 'claimed' AND c.needs_follow_up THEN 'follow_up'
                 WHEN c.state = 'in_doubt' AND c.due_at IS NOT NULL THEN 'due'
                 WHEN c.state = 'not_sent' AND c.review IS NOT NULL THEN 'review' ELSE '' END,
            CASE WHEN c.amount IS NULL THEN '' ELSE coalesce(c.currency, '') END,
            CASE WHEN c.state = 'not_sent' THEN coalesce(left(c.detail, 200), '') ELSE '' END,
            pg_backend_pid(), sum(c.change), coalesce(sum(c.change * c.amount), 0)
        FROM (%s) c
        GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
        HAVING sum(c.change) <> 0 OR sum(c.change * c.amount) <> 0
        ON CONFLICT (worked_by, state, partner, block, run_id, aspect, currency, why, writer)
        DO UPDATE SET rounds = t.rounds + excluded.rounds, refunds = t.refunds + excluded.refunds;
    $sql$;
    -- The same for the totals of plans, whose stakes never change.
    planned CONSTANT text := $sql$
        INSERT INTO retention.plan_totals (run_id, currency, rounds, stake, unjudged)
        SELECT
            c.run_id, c.stake_currency, sum(c.change), sum(c.change * c.stake) FILTER (WHERE c.stake >= 0),
            coalesce(sum(c.change) FILTER (WHERE (c.stake >= 0 AND c.stake_currency ~ '^[A-Z]{3}$') IS NOT TRUE), 0)
        FROM (%s) c
        GROUP BY c.run_id, c.stake_currency;
    $sql$;
    rows CONSTANT text := $sql$SELECT 1 AS change, b.* FROM retention.cancellations b$sql$;
    one record;
BEGIN
    EXECUTE format(counted, rows);
    EXECUTE format(planned, rows);
    FOR one IN
        SELECT v.*, 'count_' || lower(v.event) AS name
        FROM (VALUES
            ('INSERT', $sql$NEW TABLE AS became$sql$, $sql$SELECT 1 AS change, b.* FROM became b$sql$, planned),
            ('DELETE', $sql$OLD TABLE AS was$sql$,
             $sql$SELECT -1 AS change, w.* FROM was w WHERE w.settled_at IS NULL$sql$, ''),
            ('UPDATE', $sql$OLD TABLE AS was NEW TABLE AS became$sql$,
             $sql$SELECT -1 AS change, w.* FROM was w UNION ALL SELECT 1, b.* FROM became b$sql$, '')
        ) AS v (event, transitions, rows, more)
    LOOP
        EXECUTE format(
            $sql$
                CREATE FUNCTION retention.%I() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
                SET search_path = pg_catalog, pg_temp AS %L
            $sql$,
            one.name, 'BEGIN' || format(counted || one.more, one.rows, one.rows) || 'RETURN NULL; END');
        EXECUTE format($sql$REVOKE ALL ON FUNCTION retention.%I() FROM PUBLIC$sql$, one.name);
        EXECUTE format(
            $sql$
                CREATE TRIGGER %1$I AFTER %2$s ON retention.cancellations REFERENCING %3$s
                FOR EACH STATEMENT EXECUTE FUNCTION retention.%1$I()
            $sql$,
            one.name, one.event, one.transitions);
    END LOOP;
END
$build$;
