-- Evidence: what every settled batch and every decision of a person leaves, in an order that a Merkle tree proves.
-- No process waits for another's entry: an entry gets its place in the tree when the next checkpoint is made.

-- One row: the ledger's name in checkpoints, and the key of its pseudonyms as the two blocks of HMAC-SHA-256.
CREATE TABLE retention.ledger_key (
    only_row    boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    origin      text NOT NULL,
    inner_pad   bytea NOT NULL CHECK (length(inner_pad) = 64),
    outer_pad   bytea NOT NULL CHECK (length(outer_pad) = 64),
    -- Runs, holds and pauses of an earlier time may lack evidence: their version kept none. NULL: there are none.
    kept_since  timestamptz
);

DO $$
DECLARE
    key bytea := sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()));
    inner_pad bytea := decode(repeat('36', 64), 'hex');
    outer_pad bytea := decode(repeat('5c', 64), 'hex');
BEGIN
    FOR i IN 0..31 LOOP
        inner_pad := set_byte(inner_pad, i, get_byte(inner_pad, i) # get_byte(key, i));
        outer_pad := set_byte(outer_pad, i, get_byte(outer_pad, i) # get_byte(key, i));
    END LOOP;
    INSERT INTO retention.ledger_key (origin, inner_pad, outer_pad, kept_since)
    VALUES ('retention/' || gen_random_uuid(), inner_pad, outer_pad, CASE
        WHEN EXISTS (SELECT FROM retention.runs) OR EXISTS (SELECT FROM retention.holds)
            OR EXISTS (SELECT FROM retention.pauses) THEN now() END);
END
$$;

-- Append only. `body` is the entry, as JSON; the other columns repeat parts of it for searches. `written_by` is the
-- entry's transaction: entries become visible in another order than that of their numbers.
CREATE TABLE retention.evidence (
    entry_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id      uuid,
    replica     text,
    kind        text NOT NULL,
    body        text NOT NULL,
    written_by  xid8 NOT NULL DEFAULT pg_current_xact_id()
);

CREATE INDEX evidence_by_run ON retention.evidence (run_id) WHERE run_id IS NOT NULL;
CREATE INDEX evidence_by_transaction ON retention.evidence (written_by);

-- The place of each entry in the tree, from 0 without a gap, and its hash as a leaf of RFC 6962.
CREATE TABLE retention.evidence_leaves (
    leaf      bigint PRIMARY KEY CHECK (leaf >= 0),
    entry_id  bigint NOT NULL UNIQUE,
    hash      bytea NOT NULL CHECK (length(hash) = 32)
);

-- Sizes and roots of the tree. `root` is base64, as in a checkpoint of C2SP; `signature` a signature line of its note.
-- `frontier` has the hashes of the tree's largest whole subtrees, left to right: the next checkpoint goes on from them.
-- All entries of transactions before `placed_before` had their places then. The numbers of transactions are those of
-- one database server, `server`: a dump that is restored elsewhere begins them anew.
CREATE TABLE retention.checkpoints (
    checkpoint_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at             timestamptz NOT NULL DEFAULT now(),
    size           bigint NOT NULL CHECK (size >= 0),
    root           text NOT NULL,
    signature      text,
    frontier       bytea[] NOT NULL,
    placed_before  xid8 NOT NULL DEFAULT pg_snapshot_xmin(pg_current_snapshot()),
    server         bigint NOT NULL
);

-- A user's id is replaced by its pseudonym once its row needs it no more, and by nothing else.
CREATE FUNCTION retention.require_pseudonym() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NEW.user_id IS DISTINCT FROM OLD.user_id AND NEW.user_id !~ '^pseudonym:[A-Za-z0-9_-]{22}$' THEN
        RAISE EXCEPTION USING ERRCODE = 'RT002', MESSAGE = 'user_id';
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER require_pseudonym BEFORE UPDATE OF user_id ON retention.cancellations
    FOR EACH ROW EXECUTE FUNCTION retention.require_pseudonym();
CREATE TRIGGER require_pseudonym BEFORE UPDATE OF user_id ON retention.holds
    FOR EACH ROW EXECUTE FUNCTION retention.require_pseudonym();
