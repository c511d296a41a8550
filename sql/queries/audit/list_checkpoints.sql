-- Purpose: Lists all checkpoints in the order in which they were made.
-- Locks: none.
-- Returns: a row per checkpoint; `frontier` is the SHA-256 of its hashes, one after the other.
SELECT c.checkpoint_id, c.size, c.root, c.signature, (
    SELECT sha256(coalesce(string_agg(f.hash, ''::bytea ORDER BY f.nth), ''::bytea))
    FROM unnest(c.frontier) WITH ORDINALITY AS f (hash, nth)) AS frontier
FROM retention.checkpoints c
ORDER BY c.checkpoint_id
