-- Fragment: the stale rounds that a plan leaves out, in groups. Their numbers and times may make no sense.
SELECT standing, partner, market, NULL, NULL, NULL, count(*), NULL, 0
FROM stale WHERE standing <> 'eligible' GROUP BY standing, partner, market
