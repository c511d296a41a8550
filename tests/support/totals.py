"""The totals of runs beside a count of their rows, for a ledger in which nothing is archived."""

from __future__ import annotations

from typing import LiteralString

import psycopg

# Written anew, and not as the triggers have it.
_ROUNDS: LiteralString = """
WITH counted AS (
    SELECT run_id, adopted_by_run, partner, div(id, 10000) AS block, state,
           CASE state WHEN 'claimed' THEN CASE WHEN needs_follow_up THEN 'follow_up' END
                      WHEN 'in_doubt' THEN CASE WHEN due_at IS NOT NULL THEN 'due' END
                      WHEN 'not_sent' THEN CASE WHEN review IS NOT NULL THEN 'review' END END AS aspect,
           CASE state WHEN 'not_sent' THEN left(detail, 200) END AS why,
           CASE WHEN amount IS NOT NULL THEN currency END AS currency, count(*) AS rounds, sum(amount) AS refunds
    FROM retention.cancellations GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
), summed AS (
    SELECT run_id, nullif(worked_by, run_id) AS adopted_by_run, partner, block, state, nullif(aspect, '') AS aspect,
           nullif(why, '') AS why, nullif(currency, '') AS currency, sum(rounds) AS rounds, sum(refunds) AS refunds
    FROM retention.run_totals GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
    HAVING sum(rounds) <> 0 OR sum(refunds) <> 0
)
SELECT format('run %s, %s %s %s %s of %s in block %s: %s rounds with %s in the totals, %s with %s in the rows',
              coalesce(s.run_id, c.run_id), coalesce(s.partner, c.partner), coalesce(s.state, c.state),
              coalesce(s.aspect, c.aspect), coalesce(s.why, c.why), coalesce(s.adopted_by_run, c.adopted_by_run),
              coalesce(s.block, c.block), s.rounds, s.refunds, c.rounds, c.refunds)
FROM summed s FULL JOIN counted c
  ON (s.run_id, s.partner, s.block, s.state) = (c.run_id, c.partner, c.block, c.state)
 AND coalesce(s.adopted_by_run, s.run_id) = coalesce(c.adopted_by_run, c.run_id)
 AND coalesce(s.aspect, '') = coalesce(c.aspect, '') AND coalesce(s.why, '') = coalesce(c.why, '')
 AND coalesce(s.currency, '') = coalesce(c.currency, '')
WHERE s.rounds IS DISTINCT FROM c.rounds OR coalesce(s.refunds, 0) <> coalesce(c.refunds, 0)
"""

_PLANS: LiteralString = """
WITH counted AS (
    SELECT run_id, stake_currency AS currency, count(*) AS rounds, sum(greatest(stake, 0)) AS stake,
           count(*) - count(*) FILTER (WHERE stake >= 0 AND stake_currency ~ '^[A-Z]{3}$') AS unjudged
    FROM retention.cancellations GROUP BY 1, 2
), summed AS (
    SELECT run_id, currency, sum(rounds) AS rounds, sum(stake) AS stake, sum(unjudged) AS unjudged
    FROM retention.plan_totals GROUP BY 1, 2
)
SELECT format('plan of run %s, %s: %s, and not %s', coalesce(s.run_id, c.run_id), coalesce(s.currency, c.currency), s, c)
FROM summed s FULL JOIN counted c ON s.run_id = c.run_id AND coalesce(s.currency, '') = coalesce(c.currency, '')
WHERE s.rounds IS DISTINCT FROM c.rounds OR coalesce(s.stake, 0) <> coalesce(c.stake, 0)
   OR s.unjudged IS DISTINCT FROM c.unjudged
"""


def wrong_totals(dsn: str) -> list[str]:
    """Each total that is not the count of its rows, in a line."""
    with psycopg.connect(dsn) as connection:
        return [line for text in (_ROUNDS, _PLANS) for (line,) in connection.execute(text).fetchall()]
