-- Fragment: how many rounds, their stakes, and how many stakes the rail `max_amount` cannot judge: no amount, no
-- currency code, or a negative amount, which must not lower the sum.
count(*) AS rounds,
sum(stake) FILTER (WHERE stake >= 0) AS stake,
count(*) FILTER (WHERE (stake >= 0 AND currency ~ '^[A-Z]{3}$') IS NOT TRUE) AS unjudged
