-- Purpose: Describes the session: settings that differ from ours, though they were set,
--     and settings that only the operator can change.
-- Locks: none.
-- Returns: one row.
SELECT
    quote_ident(session_user) AS role,
    quote_ident(current_database()) AS database,
    pg_is_in_recovery() AS standby,
    current_setting('transaction_read_only')::boolean AS read_only,
    current_setting('session_replication_role') AS replication_role,
    current_setting('temp_file_limit') AS temp_file_limit,
    CASE WHEN current_setting('temp_file_limit') <> '-1' THEN pg_size_bytes(current_setting('temp_file_limit')) END
        AS temp_bytes,
    current_setting('search_path') AS search_path,
    -- Named anywhere but first, pg_catalog lets functions and operators of others come before the server's own.
    array_position(current_schemas(true), 'pg_catalog') > array_position(current_schemas(true), s.first) AS led_astray,
    ARRAY(SELECT o.name || ' = ' || current_setting(o.name)
          FROM (SELECT * FROM
              -- include shared/session_settings.sql
          ) AS o
          WHERE CASE WHEN o.name = 'datestyle' THEN current_setting(o.name) NOT LIKE 'ISO%%'
                     ELSE current_setting(o.name) <> o.value END
          ORDER BY o.name) AS others
FROM (SELECT schema AS first FROM unnest(current_schemas(true)) WITH ORDINALITY AS u (schema, nth)
      WHERE NOT starts_with(schema::text, 'pg_temp') AND schema <> 'pg_catalog' ORDER BY nth LIMIT 1) AS s
RIGHT JOIN (SELECT) AS one ON true
