"""An operator's table in which few rounds are stale and all others completed, a plan's end without its middle, and a
check.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
from support.bulk_rounds import disagreements

from bench.figures import say

if TYPE_CHECKING:
    from collections.abc import Mapping

    from support.cheap_vendor import CheapVendor

CHUNK = 1_000_000
"""Rows that one statement writes."""

# Older rounds stand further to the front, as where rounds are written when they are played: a year of them, of which
# the newest is five days old. Every so many-th is stale, so that a page of the table holds a few.
_LOAD = """
INSERT INTO public.rounds (partner, market, game, user_id, round_id, opened_at, currency, stake, bet_tx, status)
SELECT 'acme', 'MT', 'game', 'user-' || name, name, now() - make_interval(secs => 360 * 86400.0 * (1 - n::float8 / %(rows)s))
       - interval '5 days', 'EUR', 1.50, 'bet-' || name, status
FROM (SELECT n, CASE WHEN n %% %(factor)s = 0 THEN 'r' || n / %(factor)s ELSE 'c' || n END AS name,
             CASE WHEN n %% %(factor)s = 0 THEN 0 ELSE 1 END AS status
      FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n) AS made
"""

_GIVE_UP = """
UPDATE retention.cancellations
SET state = 'not_sent', settled_at = statement_timestamp(), detail = 'given up by the benchmark'
WHERE state = 'planned' AND id BETWEEN %s AND %s
"""


def load(dsn: str, stale: int, factor: int) -> None:
    """Write `factor` times as many rows as are stale: r0, r1, r2 and so on. The indexes are those of the operator's
    sample.
    """
    rows = stale * factor
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("SET synchronous_commit = off")
        connection.execute("ALTER TABLE public.rounds DROP CONSTRAINT rounds_pkey, SET (autovacuum_enabled = off)")
        connection.execute("DROP INDEX public.rounds_open_by_age")
        for first in range(0, rows, CHUNK):
            last = min(first + CHUNK, rows) - 1
            connection.execute(_LOAD, {"rows": rows, "factor": factor, "first": first, "last": last})
            say(f"{last + 1:,} of {rows:,} rows are in the operator's table")
        connection.execute("CREATE INDEX rounds_open_by_age ON public.rounds (opened_at) WHERE status = 0")
        connection.execute("CREATE INDEX rounds_open_by_round ON public.rounds (partner, round_id) WHERE status = 0")
        connection.execute("VACUUM (FREEZE, ANALYZE) public.rounds")
        connection.execute("ALTER TABLE public.rounds RESET (autovacuum_enabled)")
        connection.execute("CHECKPOINT")


def keep_only_the_last(dsn: str, count: int) -> int:
    """Set all planned rounds but the last so many to not sent, as `close_unsent` would; return their number."""
    given_up = 0
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("SET synchronous_commit = off")
        ((first, last),) = connection.execute(
            "SELECT min(id), max(id) - %s FROM retention.cancellations WHERE state = 'planned'", [count]
        ).fetchall()
        for start in range(first, last + 1, CHUNK):
            given_up += connection.execute(_GIVE_UP, [start, min(start + CHUNK - 1, last)]).rowcount
        if given_up:
            connection.execute("VACUUM (ANALYZE) retention.cancellations")
        connection.execute("CHECKPOINT")
    return given_up


def wrong(dsn: str, vendor: CheapVendor, rows: int, states: Mapping[str, int]) -> list[str]:
    """The faults of a run: a called round that is not cancelled once and everywhere, or another one that is touched.

    `states` are the required states of the ledger's rounds, with the number of each.
    """
    found = disagreements(dsn, vendor)
    counts = vendor.counts()
    cancelled = states.get("cancelled", 0)
    if (counts.requests, counts.rounds) != (cancelled, cancelled):
        found.append(f"the vendor heard {counts.requests} requests for {counts.rounds} rounds, not {cancelled}")
    open_ones = sum(states.values()) - cancelled
    wanted = {
        "SELECT state, count(*) FROM retention.cancellations GROUP BY 1": states,
        "SELECT coalesce(outcome, 'none'), count(*) FROM retention.attempts WHERE outcome IS DISTINCT FROM 'released' GROUP BY 1": {
            "cancelled": cancelled
        },
        "SELECT CASE status WHEN 0 THEN 'open' WHEN 1 THEN 'completed' ELSE 'cancelled' END, count(*) FROM public.rounds GROUP BY 1": {
            "open": open_ones,
            "completed": rows - open_ones - cancelled,
            "cancelled": cancelled,
        },
    }
    with psycopg.connect(dsn) as connection:
        for statement, counted in wanted.items():
            there: dict[str, int] = dict(connection.execute(statement).fetchall())
            expected = {name: count for name, count in counted.items() if count}
            if there != expected:
                found.append(f"{there}, and not {expected}")
    return found
