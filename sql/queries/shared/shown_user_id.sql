-- Fragment: `u.user_id` as a report shows it: with the parameter `pseudonymise` as the keyed hash of
-- shared/pseudonym.sql. So the plain id never leaves the server. NULL stays NULL.
CASE WHEN %(pseudonymise)s::boolean THEN (
         SELECT
             -- include shared/pseudonym.sql
         FROM retention.ledger_key k)
     ELSE u.user_id END
