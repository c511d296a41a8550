count(*) AS rounds,
-- A negative stake lowers no sum: it is one that nobody can judge, as are those without an amount or a currency's code.
sum(stake) FILTER (WHERE stake >= 0) AS stake,
count(*) FILTER (WHERE (stake >= 0 AND currency ~ '^[A-Z]{3}$') IS NOT TRUE) AS unjudged
