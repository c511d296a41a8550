-- Sets what our statements rely on, for this transaction alone: the session is others' as well.
SELECT count(set_config(s.name, s.value, true)) AS settings
FROM
-- include shared/session_settings.sql
