-- What has to be known before our schema can be looked at.
SELECT
    current_setting('server_version_num')::integer AS number, current_setting('server_version') AS version,
    current_setting('server_encoding') AS encoding,
    quote_ident(current_user) AS role,
    EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = 'retention') AS has_schema
