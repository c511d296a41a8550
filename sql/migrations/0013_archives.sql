-- What has left the ledger for files: months of cancellations and attempts, and of the evidence.

-- One row for each time that a month was archived. A month with rows that need a person keeps those, and has further
-- parts once they are resolved. The hash of each row is in evidence, so a row that was added by hand is found.
CREATE TABLE retention.archives (
    -- Such as 2026-01, or 2026-01-part2. `month` is `before` for the rows of a ledger from before its months.
    name         text PRIMARY KEY,
    month        text NOT NULL CHECK (month ~ '^([0-9]{4}-[0-9]{2}|before)$'),
    part         integer NOT NULL CHECK (part > 0),
    -- The ids of the month's cancellations and entries: from `first_id` to `last_id`.
    first_id     bigint NOT NULL,
    last_id      bigint NOT NULL,
    -- The cancellations of the month that stayed, since they needed a person.
    kept         bigint NOT NULL CHECK (kept >= 0),
    -- The entries of evidence in its file. NULL: they left in an earlier part.
    entries      bigint CHECK (entries >= 0),
    -- One object for each file: table, name, sha256, rows. The last one is the proof.
    files        jsonb NOT NULL CHECK (jsonb_typeof(files) = 'array'),
    -- The runs that have rows or entries in the files.
    runs         uuid[] NOT NULL,
    -- When the oldest archived round was opened, and the first and the last moment that a row or entry tells of.
    opened_from  timestamptz,
    first_at     timestamptz,
    last_at      timestamptz,
    archived_by  text NOT NULL,
    archived_at  timestamptz NOT NULL DEFAULT now(),
    UNIQUE (month, part),
    CHECK (first_id <= last_id)
);

-- Refuses changes of rows that are being written to files. Its SQLSTATE, object_in_use, says that it passes by itself.
CREATE FUNCTION retention.refuse_archived() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'object_in_use', MESSAGE = format('archiving %s', TG_ARGV[0]);
END
$$;

-- Leaves of the partitions of a month, such as 2026_01, the rows of the cancellations `kept`, and attempts of lost
-- rounds (0): small partitions with these take their place. Rows that are deleted would free their rounds. It gives up
-- soon where it must wait, since claims wait behind it.
CREATE FUNCTION retention.keep_rounds(month text, kept bigint[]) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '200ms'
AS $$
DECLARE
    root text;
    partition text;
    rest text;
    bounds text;
    columns text;
BEGIN
    LOCK TABLE ONLY retention.cancellations, ONLY retention.attempts IN ACCESS EXCLUSIVE MODE;
    FOREACH root IN ARRAY ARRAY['cancellations', 'attempts'] LOOP
        partition := format('%s_%s', root, month);
        rest := partition || '_rest';
        SELECT pg_get_expr(c.relpartbound, c.oid) INTO STRICT bounds
        FROM pg_class c WHERE c.oid = ('retention.' || partition)::regclass;
        SELECT string_agg(quote_ident(a.attname), ', ') INTO STRICT columns
        FROM pg_attribute a
        WHERE a.attrelid = ('retention.' || root)::regclass AND a.attnum > 0 AND NOT a.attisdropped
          AND a.attgenerated = '';
        EXECUTE format(
            'CREATE TABLE retention.%I (LIKE retention.%I INCLUDING ALL EXCLUDING IDENTITY) WITH (fillfactor = %s)',
            rest, root, CASE root WHEN 'cancellations' THEN 38 ELSE 40 END);
        EXECUTE format(
            'INSERT INTO retention.%I (%s) SELECT %s FROM retention.%I WHERE %I = ANY ($1)',
            rest, columns, columns, partition, CASE root WHEN 'cancellations' THEN 'id' ELSE 'cancellation_id' END)
        USING kept || 0::bigint;
        EXECUTE format('ALTER TABLE retention.%I DETACH PARTITION retention.%I', root, partition);
        EXECUTE format('DROP TABLE retention.%I', partition);
        EXECUTE format('ALTER TABLE retention.%I RENAME TO %I', rest, partition);
        EXECUTE format('ALTER TABLE retention.%I ATTACH PARTITION retention.%I %s', root, partition, bounds);
    END LOOP;
END
$$;

REVOKE ALL ON FUNCTION retention.refuse_archived(), retention.keep_rounds(text, bigint[]) FROM PUBLIC;
