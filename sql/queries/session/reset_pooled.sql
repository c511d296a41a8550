-- The same where the session is others' as well: what our statements rely on is set for this transaction alone.
DO $$
BEGIN
    RESET ROLE;
    RESET ALL;
    PERFORM set_config(s.name, s.value, true) FROM
    -- include shared/session_settings.sql
    ;
    -- include shared/commit_settings.sql
END $$
