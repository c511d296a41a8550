-- The ledger by months: cancellations, attempts and evidence are partitioned, so that a month can be archived and
-- dropped whole, and a claim reads the same few pages after ten years.
-- An id tells its month: the sequences move to YYYYMM * 10^10 when a month begins. Every statement that names ids
-- prunes to their months by that alone, and ids still grow with time. Rows from before this migration, and attempts of
-- lost rounds (0), are in the partitions `before`. There is no DEFAULT partition: it would have to be scanned, and
-- locked, for each new month. While a month lacks its partition, the ids of the month before go on: nothing is lost.

-- A finding outlives its cancellation, which an archive may hold.
ALTER TABLE retention.findings DROP CONSTRAINT findings_cancellation_id_fkey;

DROP TRIGGER cancellations_guard_plan ON retention.cancellations;
DROP TRIGGER cancellations_guard_adoption ON retention.cancellations;
DROP TRIGGER require_pseudonym ON retention.cancellations;
DROP INDEX retention.cancellations_one_per_round;

-- The tables so far become the partitions of the time before.
ALTER TABLE retention.cancellations ALTER COLUMN id DROP IDENTITY;
ALTER TABLE retention.evidence ALTER COLUMN entry_id DROP IDENTITY;
ALTER TABLE retention.attempts DROP CONSTRAINT attempts_pkey;
DROP INDEX retention.attempts_by_cancellation;
ALTER TABLE retention.attempts ADD PRIMARY KEY (uuid, cancellation_id);

DO $$
DECLARE
    root text;
    index name;
BEGIN
    FOREACH root IN ARRAY ARRAY['cancellations', 'attempts', 'evidence'] LOOP
        FOR index IN
            SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
            WHERE i.indrelid = ('retention.' || root)::regclass
        LOOP
            EXECUTE format('ALTER INDEX retention.%I RENAME TO %I', index,
                           root || '_before' || substr(index, length(root) + 1));
        END LOOP;
        EXECUTE format('ALTER TABLE retention.%I RENAME TO %I', root, root || '_before');
    END LOOP;
END
$$;

CREATE TABLE retention.cancellations (LIKE retention.cancellations_before INCLUDING ALL EXCLUDING INDEXES)
    PARTITION BY RANGE (id);
ALTER TABLE retention.cancellations
    ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY,
    ADD PRIMARY KEY (id),
    ADD UNIQUE (run_id, partner, id),
    ADD FOREIGN KEY (run_id) REFERENCES retention.runs,
    ADD FOREIGN KEY (adopted_by_run) REFERENCES retention.runs;
CREATE INDEX cancellations_by_round ON retention.cancellations (partner, round_id);
CREATE INDEX cancellations_follow_ups ON retention.cancellations (partner, due_at) WHERE needs_follow_up;
CREATE INDEX cancellations_adopted ON retention.cancellations (adopted_by_run) WHERE adopted_by_run IS NOT NULL;
CREATE INDEX cancellations_to_review ON retention.cancellations (id) WHERE review IS NOT NULL;
CREATE INDEX cancellations_by_user ON retention.cancellations (user_id);
CREATE INDEX cancellations_by_bet ON retention.cancellations (bet_transaction_id) WHERE bet_transaction_id IS NOT NULL;
CREATE INDEX cancellations_resolved ON retention.cancellations (resolved_at) WHERE resolved_at IS NOT NULL;

CREATE TABLE retention.attempts (LIKE retention.attempts_before INCLUDING ALL EXCLUDING INDEXES)
    PARTITION BY RANGE (cancellation_id);
ALTER TABLE retention.attempts ADD PRIMARY KEY (uuid, cancellation_id);
CREATE INDEX attempts_by_cancellation ON retention.attempts (cancellation_id);

CREATE TABLE retention.evidence (LIKE retention.evidence_before INCLUDING ALL EXCLUDING INDEXES)
    PARTITION BY RANGE (entry_id);
ALTER TABLE retention.evidence
    ALTER COLUMN entry_id ADD GENERATED ALWAYS AS IDENTITY,
    ADD PRIMARY KEY (entry_id);
CREATE INDEX evidence_by_run ON retention.evidence (run_id) WHERE run_id IS NOT NULL;
CREATE INDEX evidence_by_transaction ON retention.evidence (written_by);
CREATE INDEX evidence_decisions ON retention.evidence (entry_id)
    WHERE kind IN ('approved', 'rejected', 'overridden', 'continued', 'called_off', 'hold_added', 'hold_released',
                   'paused', 'resumed', 'resolved', 'reclosed', 'pseudonymised');

-- One row for each round that a run has planned in earnest, for good, so also after its month is archived. `held_by` is
-- the cancellation that is live or has cancelled the round: there is one at most, in whatever month. `refused` and
-- `tried` count the cancellations that ended rejected or completed, and those that ended without a cancellation.
CREATE TABLE retention.round_keys (
    partner   text NOT NULL,
    round_id  text NOT NULL,
    held_by   bigint,
    refused   integer NOT NULL DEFAULT 0,
    tried     integer NOT NULL DEFAULT 0,
    PRIMARY KEY (partner, round_id)
) WITH (fillfactor = 80);

-- Whether a cancellation counts as refused, and as tried.
CREATE FUNCTION retention.is_refused(state text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$ SELECT state IN ('rejected', 'already_completed') $$;

CREATE FUNCTION retention.is_tried(state text, resolved_from text, review text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$ SELECT state = 'rejected' OR coalesce(resolved_from IN ('rejected', 'in_doubt'), false)
          OR coalesce(review = 'not_asked', false) $$;

INSERT INTO retention.round_keys (partner, round_id, held_by, refused, tried)
SELECT
    partner, round_id, max(id) FILTER (WHERE holds_round), count(*) FILTER (WHERE retention.is_refused(state)),
    count(*) FILTER (WHERE retention.is_tried(state, resolved_from, review))
FROM retention.cancellations_before
WHERE holds_round OR retention.is_refused(state) OR retention.is_tried(state, resolved_from, review)
GROUP BY partner, round_id;

-- A new row takes its round, or is left out where another row holds it: two plans of one moment never both have it.
CREATE FUNCTION retention.take_round() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    INSERT INTO retention.round_keys AS k (partner, round_id, held_by, refused, tried)
    VALUES (NEW.partner, NEW.round_id,
            CASE WHEN coalesce(NEW.resolved_as, NEW.state) IN
                      ('planned', 'claimed', 'retrying', 'in_doubt', 'cancelled', 'already_cancelled') THEN NEW.id END,
            retention.is_refused(NEW.state)::integer,
            retention.is_tried(NEW.state, NEW.resolved_from, NEW.review)::integer)
    ON CONFLICT (partner, round_id) DO UPDATE
    SET held_by = coalesce(excluded.held_by, k.held_by), refused = k.refused + excluded.refused,
        tried = k.tried + excluded.tried
    WHERE excluded.held_by IS NULL OR k.held_by IS NULL;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    -- Until the statement ends, PostgreSQL keeps a copy of each row that its trigger returns as it came: 2 GB for ten
    -- million.
    NEW.attempts := NEW.attempts;
    RETURN NEW;
END
$$;

-- A row that ends without a cancellation frees its round; a row that a person resolves as cancelled holds it again.
CREATE FUNCTION retention.keep_round() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    INSERT INTO retention.round_keys AS k (partner, round_id, held_by, refused, tried)
    VALUES (NEW.partner, NEW.round_id, CASE WHEN NEW.holds_round THEN NEW.id END,
            retention.is_refused(NEW.state)::integer,
            retention.is_tried(NEW.state, NEW.resolved_from, NEW.review)::integer)
    ON CONFLICT (partner, round_id) DO UPDATE
    SET held_by = CASE WHEN NEW.holds_round THEN NEW.id ELSE nullif(k.held_by, NEW.id) END,
        refused = k.refused + excluded.refused - retention.is_refused(OLD.state)::integer,
        tried = k.tried + excluded.tried - retention.is_tried(OLD.state, OLD.resolved_from, OLD.review)::integer
    WHERE NOT NEW.holds_round OR coalesce(k.held_by, NEW.id) = NEW.id;
    IF NOT FOUND THEN
        RAISE unique_violation USING
            MESSAGE = 'round_held', CONSTRAINT = 'round_keys_held_by',
            SCHEMA = 'retention', TABLE = 'cancellations';
    END IF;
    RETURN NULL;
END
$$;

-- Rows that are gone hold nothing: a ledger that has lost its rows asks about each round again. An archived month is
-- dropped as a partition, which calls no trigger.
CREATE FUNCTION retention.free_round() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        DELETE FROM retention.round_keys;
    ELSE
        UPDATE retention.round_keys SET held_by = NULL
        WHERE partner = OLD.partner AND round_id = OLD.round_id AND held_by = OLD.id;
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER cancellations_guard_plan AFTER INSERT ON retention.cancellations
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION retention.guard_plan();
CREATE TRIGGER cancellations_guard_adoption BEFORE INSERT OR UPDATE OF adopted_by_run ON retention.cancellations
    FOR EACH ROW WHEN (NEW.adopted_by_run IS NOT NULL) EXECUTE FUNCTION retention.guard_adoption();
CREATE TRIGGER require_pseudonym BEFORE UPDATE OF user_id ON retention.cancellations
    FOR EACH ROW EXECUTE FUNCTION retention.require_pseudonym();
-- Rows of dry runs take no round.
CREATE TRIGGER cancellations_take_round BEFORE INSERT ON retention.cancellations
    FOR EACH ROW WHEN (NEW.state <> 'not_sent') EXECUTE FUNCTION retention.take_round();
-- On the way from planned to cancelled the condition is false, so claims and settlements do not call the function.
CREATE TRIGGER cancellations_keep_round AFTER UPDATE ON retention.cancellations
    FOR EACH ROW WHEN (
        OLD.holds_round <> NEW.holds_round OR OLD.resolved_from IS DISTINCT FROM NEW.resolved_from
        OR (NOT NEW.holds_round AND (OLD.state <> NEW.state OR OLD.review IS DISTINCT FROM NEW.review)))
    EXECUTE FUNCTION retention.keep_round();

CREATE TRIGGER cancellations_free_round AFTER DELETE ON retention.cancellations
    FOR EACH ROW EXECUTE FUNCTION retention.free_round();
CREATE TRIGGER cancellations_free_rounds AFTER TRUNCATE ON retention.cancellations
    FOR EACH STATEMENT EXECUTE FUNCTION retention.free_round();

-- The first id of a month.
CREATE FUNCTION retention.first_id(month date) RETURNS bigint
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT (extract(year FROM month) * 100 + extract(month FROM month))::bigint * 10000000000
$$;

-- A month is there when all three of its partitions are. Where a person has dropped or detached one table, ids that
-- move into the month would fail each plan, claim or settlement.

-- The partitions that a month lacks, by their names. One that is being detached is none.
CREATE FUNCTION retention.missing_partitions(month date) RETURNS SETOF text
LANGUAGE sql STABLE STRICT
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT w.name
    FROM (SELECT root, root || to_char(month, '_YYYY_MM') AS name
          FROM unnest(ARRAY['cancellations', 'attempts', 'evidence']) AS root) w
    WHERE NOT EXISTS (
        SELECT FROM pg_inherits i
        WHERE i.inhparent = to_regclass('retention.' || w.root) AND i.inhrelid = to_regclass('retention.' || w.name)
          AND NOT i.inhdetachpending)
$$;

-- Makes the partitions of a month and of the next three; returns the names of the new ones. A partition is made by
-- itself and then attached, which waits for no reader and no claim; its foreign keys wait for changes of runs. A table
-- that was a partition is attached again.
CREATE FUNCTION retention.make_months(at_month date) RETURNS SETOF text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    root text;
    month date;
    partition text;
BEGIN
    -- The evidence last: all who begin a month write in the same order.
    FOREACH root IN ARRAY ARRAY['cancellations', 'attempts', 'evidence'] LOOP
        FOR month IN SELECT (at_month + make_interval(months => n))::date FROM generate_series(0, 3) AS n LOOP
            partition := root || to_char(month, '_YYYY_MM');
            CONTINUE WHEN partition NOT IN (SELECT retention.missing_partitions(month));
            IF to_regclass('retention.' || partition) IS NULL THEN
                EXECUTE format(
                    'CREATE TABLE retention.%I (LIKE retention.%I INCLUDING ALL EXCLUDING IDENTITY)'
                    ' WITH (fillfactor = %s)',
                    partition, root, CASE root WHEN 'cancellations' THEN 38 WHEN 'attempts' THEN 40 ELSE 100 END);
            END IF;
            EXECUTE format(
                'ALTER TABLE retention.%I ATTACH PARTITION retention.%I FOR VALUES FROM (%s) TO (%s)',
                root, partition, retention.first_id(month),
                retention.first_id((month + interval '1 month')::date));
            RETURN NEXT partition;
        END LOOP;
    END LOOP;
END
$$;

-- Begins this month, of UTC, where that is still to be done: moves the ids into it, and makes the partitions that it or
-- one of the next three lacks. Returns the names of the new partitions. A sequence does not roll back, so the ids move
-- only into partitions that were there before this call; the next call moves them into new ones.
CREATE FUNCTION retention.begin_month() RETURNS SETOF text
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '2s'
AS $$
DECLARE
    month date := date_trunc('month', statement_timestamp() AT TIME ZONE 'UTC');
    first bigint := retention.first_id(month);
BEGIN
    IF ((SELECT last_value < first FROM retention.cancellations_id_seq)
        OR (SELECT last_value < first FROM retention.evidence_entry_id_seq))
        AND NOT EXISTS (SELECT FROM retention.missing_partitions(month)) THEN
        PERFORM pg_advisory_xact_lock(7235419110624);
        PERFORM setval('retention.cancellations_id_seq', greatest(last_value, first))
        FROM retention.cancellations_id_seq WHERE last_value < first;
        PERFORM setval('retention.evidence_entry_id_seq', greatest(last_value, first))
        FROM retention.evidence_entry_id_seq WHERE last_value < first;
    END IF;
    IF EXISTS (
        SELECT FROM generate_series(0, 3) AS n
        CROSS JOIN LATERAL retention.missing_partitions((month + make_interval(months => n))::date)) THEN
        PERFORM pg_advisory_xact_lock(7235419110624);
        RETURN QUERY SELECT retention.make_months(month);
    END IF;
END
$$;

REVOKE ALL ON FUNCTION
    retention.is_refused(text), retention.is_tried(text, text, text), retention.take_round(), retention.keep_round(),
    retention.free_round(),
    retention.first_id(date), retention.missing_partitions(date), retention.make_months(date), retention.begin_month()
    FROM PUBLIC;

-- This month, and the rows of the time before as its first partition.
DO $$
DECLARE
    month date := date_trunc('month', statement_timestamp() AT TIME ZONE 'UTC');
    root text;
BEGIN
    PERFORM retention.make_months(month);
    PERFORM setval('retention.cancellations_id_seq', retention.first_id(month)),
            setval('retention.evidence_entry_id_seq', retention.first_id(month));
    FOREACH root IN ARRAY ARRAY['cancellations', 'attempts', 'evidence'] LOOP
        EXECUTE format('ALTER TABLE retention.%I ATTACH PARTITION retention.%I FOR VALUES FROM (MINVALUE) TO (%s)',
                       root, root || '_before', retention.first_id('2000-01-01'));
    END LOOP;
END
$$;
