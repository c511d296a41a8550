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
CREATE OR REPLACE FUNCTION retention.make_months(at_month date) RETURNS SETOF text
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
CREATE OR REPLACE FUNCTION retention.begin_month() RETURNS SETOF text
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

REVOKE ALL ON FUNCTION retention.missing_partitions(date) FROM PUBLIC;
