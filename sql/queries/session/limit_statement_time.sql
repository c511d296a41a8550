-- The transaction's next statements have five seconds.
SELECT set_config('statement_timeout', '5s', true)
