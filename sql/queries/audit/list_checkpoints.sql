-- Purpose: Lists all checkpoints in the order in which they were made.
-- Locks: none.
-- Returns: a row per checkpoint; `frontier` is the SHA-256 of its hashes as one text.
SELECT
    c.checkpoint_id, c.size, c.root, c.signature,
    sha256(convert_to(replace(c.frontier::text, '"', ''), 'UTF8')) AS frontier
FROM retention.checkpoints c
ORDER BY c.checkpoint_id
