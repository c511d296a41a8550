-- Within a transaction, after the operator's function: what it has SET, for its session or for the commit, is undone.
DO $$
BEGIN
    RESET ROLE;
    RESET ALL;
    PERFORM set_config(s.name, s.value, false) FROM
    -- include shared/session_settings.sql
    ;
    -- include shared/commit_settings.sql
END $$
