-- The same where the session is others' as well: what our statements rely on is set for this transaction alone.
DO $$
BEGIN
    RESET ROLE;
    RESET ALL;
    PERFORM set_config(s.name, s.value, true) FROM
    -- include shared/session_settings.sql
    ;
    IF current_setting('synchronous_commit') IN ('off', 'local') THEN
        SET LOCAL synchronous_commit = on;
    END IF;
    SET LOCAL idle_in_transaction_session_timeout = '20s'; -- a process that freezes before its COMMIT
END $$
