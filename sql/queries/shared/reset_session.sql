-- Within a transaction, after the operator's function: what it has SET, for its session or for the commit, is undone.
DO $$
BEGIN
    RESET ROLE;
    RESET ALL;
    IF current_setting('synchronous_commit') IN ('off', 'local') THEN
        SET LOCAL synchronous_commit = on;
    END IF;
END $$
