"""A ledger whose ids are written to break files, and the same figures by plain SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from support.world import World

HOSTILE_IDS = (
    "=HYPERLINK(1)",
    "+49 30 1",
    "-1",
    "@SUM(A1:A9)",
    "\"quoted\", and 'so'",
    "a;b,c|d",
    "<script>alert(1)</script>",
    "</td><img src=x onerror=y>",
    "&amp;&lt;",
    "\u202eright to left\u202c",
    "\u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627",
    "\U0001f3b0 emoji \U0001f469\u200d\U0001f680",
    "0000000000000007",
    "123456789012345678901234567890123456",
    "1e5",
    "2026-10-01",
    "TRUE",
    "_x000D_",
    " blanks around ",
    "NULL",
)
"""Ids that a spreadsheet, a browser or a parser could take for something else."""

MARKETS = ("MT", "SE", "=GB")

_RUN = "33333333-3333-4333-8333-333333333333"

_ROWS = """
INSERT INTO retention.cancellations
    (run_id, partner, market, game_id, user_id, round_id, opened_at, stake, stake_currency, bet_transaction_id, state,
     currency, amount, transaction_id, settled_at, attempts, last_activity_at, winnings)
SELECT %(run)s, 'acme', m, h, left(h, 26) || n, left(h, 20) || lpad(n::text, 16, '0'),
       at - interval '5 days', s, c, 'bet-' || n, CASE n %% 7 WHEN 0 THEN 'already_cancelled' ELSE 'cancelled' END,
       CASE WHEN n %% 7 > 0 THEN c END, CASE WHEN n %% 7 > 0 THEN s + CASE n %% 50 WHEN 1 THEN 1e-18 ELSE 0 END END,
       CASE WHEN n %% 7 > 0 THEN h || n END, at, 1, at - interval '4 days', CASE n %% 3 WHEN 0 THEN s / 8 END
FROM generate_series(1, %(rounds)s) AS n
CROSS JOIN LATERAL (SELECT
    (%(ids)s::text[])[n %% cardinality(%(ids)s::text[]) + 1] AS h,
    (%(markets)s::text[])[n %% cardinality(%(markets)s::text[]) + 1] AS m,
    (ARRAY['EUR', 'SEK', 'JPY'])[n %% 3 + 1] AS c,
    CASE n %% 11 WHEN 0 THEN 12345678901234567.000000000000000001 ELSE n / 7.0::numeric(38, 18) END AS s,
    timestamptz '2026-09-30 20:00Z' + (n %% 2764800) * interval '97 seconds' AS at) v
"""


async def fill(world: World, rounds: int) -> None:
    """Write a run of `rounds` cancelled rounds, over more than a month, with hostile ids and 18-decimal amounts."""
    await world.sql(
        "INSERT INTO retention.runs (run_id, policy, trigger, mode, as_of, requested_by, reason, settings, status,"
        " finished_at) VALUES (%(run)s, 'nightly', 'on_demand', 'enforce', '2026-09-30', %(by)s, %(reason)s, '{}',"
        " 'finished', '2026-11-05')",
        run=_RUN,
        by="<b>ann</b>",
        reason='=1+1\n"two" lines',
    )
    await world.sql(_ROWS, run=_RUN, rounds=rounds, ids=list(HOSTILE_IDS), markets=list(MARKETS))


async def rounds_by_sql(world: World, start: str, end: str) -> list[Any]:
    """Read the cancelled rounds of a period by a statement of its own, in the order of their outcomes."""
    return await world.sql(
        "SELECT round_id, user_id, game_id, market, currency, amount, stake_currency, stake, transaction_id, winnings,"
        " settled_at, last_activity_at FROM retention.cancellations"
        " WHERE settled_at >= %(start)s::timestamptz AND settled_at < %(end)s::timestamptz ORDER BY settled_at, id",
        start=start,
        end=end,
    )
