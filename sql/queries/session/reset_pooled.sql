-- Purpose: Undoes each SET of the operator's function in a session that others use too: our settings hold for this
--     transaction alone.
-- Locks: none.
-- Returns: nothing.
DO $$
BEGIN
    RESET ROLE;
    RESET ALL;
    PERFORM set_config(s.name, s.value, true) FROM
    -- include shared/session_settings.sql
    ;
    -- include shared/commit_settings.sql
END $$
