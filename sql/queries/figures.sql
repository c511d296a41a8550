-- What a run's plan holds, for the rails: rounds and stakes by currency.
SELECT stake_currency AS currency, count(*) AS rounds, sum(stake) AS stake
FROM retention.cancellations WHERE run_id = %(run_id)s GROUP BY stake_currency
