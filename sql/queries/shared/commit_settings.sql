-- Fragment of a block: after RESET ALL, the settings of a transaction that settles.
IF current_setting('synchronous_commit') IN ('off', 'local') THEN
    SET LOCAL synchronous_commit = on;
END IF;
SET LOCAL idle_in_transaction_session_timeout = '20s'; -- a process that freezes before its COMMIT
