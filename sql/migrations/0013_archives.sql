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

REVOKE ALL ON FUNCTION retention.refuse_archived() FROM PUBLIC;
