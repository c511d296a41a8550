-- Purpose: Sets for this transaction alone the settings that our statements rely on, since others use the session too.
-- Locks: none.
-- Returns: how many settings there are.
SELECT count(set_config(s.name, s.value, true)) AS settings
FROM
    -- include shared/session_settings.sql
