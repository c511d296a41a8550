-- Fragment: the settings that our statements and the driver rely on, as a relation `s`. The operator's database or role
-- may have other defaults. TimeZone, search_path, role and the quoting of strings are left alone: our statements do not
-- depend on them, and the operator's view and function may. A setting that this version does not know is left out, and
-- so is more memory than ours.
(SELECT e.key AS name, e.value FROM jsonb_each_text('{
    "statement_timeout": "0", "lock_timeout": "0", "transaction_timeout": "0",
    "idle_in_transaction_session_timeout": "0", "idle_session_timeout": "0", "default_transaction_read_only": "off",
    "default_transaction_isolation": "read committed", "default_transaction_deferrable": "off", "row_security": "on",
    "datestyle": "ISO", "intervalstyle": "postgres", "extra_float_digits": "1", "bytea_output": "hex",
    "array_nulls": "on", "quote_all_identifiers": "off", "client_min_messages": "warning", "plan_cache_mode": "auto",
    "jit": "off", "from_collapse_limit": "8", "join_collapse_limit": "8", "force_parallel_mode": "off",
    "debug_parallel_query": "off", "enable_bitmapscan": "on", "enable_gathermerge": "on", "enable_hashagg": "on",
    "enable_hashjoin": "on", "enable_incremental_sort": "on", "enable_indexonlyscan": "on", "enable_indexscan": "on",
    "enable_material": "on", "enable_memoize": "on", "enable_mergejoin": "on", "enable_nestloop": "on",
    "enable_partition_pruning": "on", "enable_seqscan": "on", "enable_sort": "on", "enable_tidscan": "on",
    "work_mem": "4MB", "exit_on_error": "off", "restrict_nonsystem_relation_kind": "",
    "default_table_access_method": "heap"
 }') AS e
 WHERE current_setting(e.key, true) IS NOT NULL
   AND (e.key <> 'work_mem' OR pg_size_bytes(current_setting('work_mem')) < 4194304)) AS s
