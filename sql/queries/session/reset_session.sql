-- Purpose: Undoes, within a transaction, each SET of the operator's function, for the session and for the commit.
-- Locks: none.
-- Returns: nothing.
DO $$
BEGIN
    RESET ROLE;
    RESET ALL;
    PERFORM set_config(s.name, s.value, false) FROM
    -- include shared/session_settings.sql
    ;
    -- include shared/commit_settings.sql
END $$
