-- Purpose: Lists what has been archived.
-- Locks: none.
-- Returns: a row per archive, the oldest month first.
SELECT
    v.name, v.month, v.part, v.first_id, v.last_id, v.kept, v.entries, v.files, v.runs, v.opened_from, v.first_at,
    v.last_at, v.archived_by, v.archived_at
FROM retention.archives v
ORDER BY v.month = 'before' DESC, v.month, v.part
