-- Within a transaction, after the operator's function: what it has SET, for its session or for the commit, is undone.
DO $$
BEGIN
    RESET ROLE;
    RESET ALL;
    PERFORM set_config(s.name, s.value, false) FROM
    -- include shared/session_settings.sql
    ;
    IF current_setting('synchronous_commit') IN ('off', 'local') THEN
        SET LOCAL synchronous_commit = on;
    END IF;
    SET LOCAL idle_in_transaction_session_timeout = '20s'; -- a process that freezes before its COMMIT
END $$
