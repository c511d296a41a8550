"""Totals of runs: they follow each change of a row, make nobody wait, and stand in for reading the plan."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import psycopg
from support.bare_database import TERMS, begin
from support.explaining import Explaining, explaining
from support.ledger import Book
from support.totals import wrong_totals

from retention.core.model import Kind, State
from retention.ledger.engine_ledger import EngineLedger
from retention.ledger.plans import Plans
from retention.ledger.policy_facts import PolicyFacts
from retention.ledger.runs import RunLedger
from retention.ledger.stalled_runs import StalledRuns

if TYPE_CHECKING:
    from support.world import World

    from retention.ledger.database import Database

ROUNDS = 25_000
"""Rounds of three blocks."""

LEFT = 10
"""So many of them are not settled."""

GROW = """
INSERT INTO retention.cancellations (run_id, partner, market, user_id, round_id, opened_at, stake, stake_currency)
SELECT %s, 'acme', 'MT', 'U-1', 'G-' || i, now(), 1.50, 'EUR' FROM generate_series(1, %s) i
"""

CHANGES = (
    ("cancelled', attempts = 1, amount = 1.25, currency = 'EUR", "R-1", "R-2"),
    ("cancelled', amount = 2.75, currency = 'EUR", "R-1"),
    ("cancelled', amount = 1, currency = NULL, detail = 'no code", "R-2"),
    ("in_doubt', needs_follow_up = true, detail = 'cut", "R-4"),
    ("in_doubt', due_at = '2026-01-01", "R-4"),
    ("in_doubt', adopted_by_run = '{other}", "R-4"),
    ("claimed', due_at = NULL, attempt_uuid = '{other}', lease_until = '2026-01-01", "R-4", "R-5"),
    ("claimed', lease_until = '2026-01-02", "R-4", "R-5"),
    ("not_sent', detail = '{long}", "R-6", "R-7"),
    ("not_sent', review = 'not_asked", "R-7"),
)
"""Each a state, with other columns, and the rounds that get them."""

CHANGE = """
UPDATE retention.cancellations
SET settled_at = CASE WHEN '{0}' NOT IN ('claimed', 'in_doubt') THEN now() END, state = '{1}'
WHERE round_id = ANY (%s)
"""


async def test_totals_follow_each_change_of_a_row(world: World, database: Database) -> None:
    """Whatever a statement changes, the totals are the counts of the rows after it."""
    book = Book(database)
    run, other = await book.run(status="running"), await book.run()
    for number in range(1, 10):
        await book.row(run, f"R-{number}", "planned", stake=None if number == 3 else -number, stake_currency="EUR")
    assert [] == wrong_totals(world.direct)
    plan = await book.all(
        "SELECT sum(rounds) AS rounds, sum(unjudged) AS unjudged FROM retention.plan_totals WHERE run_id = %s", run
    )
    for change, *names in CHANGES:
        state, values = change.split("'")[0], change.format(other=other, long="x" * 3000)
        await book.all(CHANGE.format(state, values), names)
        assert [] == wrong_totals(world.direct), change
    await book.all("DELETE FROM retention.cancellations WHERE round_id = 'R-8'")
    counted = await book.all("SELECT sum(rounds) FROM retention.run_totals WHERE run_id = %s", run)
    assert ([(9, 9)], [(8,)]) == (plan, counted)


async def test_a_settled_row_that_is_archived_still_counts(database: Database) -> None:
    """A run's counts stay when its settled rows leave the ledger."""
    book = Book(database)
    run = await book.run()
    await book.row(run)
    await book.all("DELETE FROM retention.cancellations")
    assert [(1,)] == await book.all("SELECT sum(rounds) FROM retention.run_totals WHERE run_id = %s", run)


async def test_no_process_waits_for_the_totals_of_another(world: World, database: Database) -> None:
    """Two transactions settle rounds of one run and block side by side; a count that another has changed is seen."""
    book = Book(database)
    run = await book.run(status="running")
    for name in ("R-1", "R-2"):
        await book.row(run, name, "planned")
    settle = "UPDATE retention.cancellations SET state = 'held', settled_at = now() WHERE round_id = %s"
    with psycopg.connect(world.direct) as one, psycopg.connect(world.direct) as two:
        two.execute("SET lock_timeout = '5s'")
        one.execute(settle, ["R-1"])
        two.execute(settle, ["R-2"])
    assert [] == wrong_totals(world.direct)


async def test_a_row_that_changed_while_a_statement_waited_is_counted_as_it_became(
    world: World, database: Database
) -> None:
    """A statement that waited for a row takes off the state that it found then, and not the one that it saw before."""
    book = Book(database)
    await book.row(await book.run(status="running"), "R-1", "planned")
    with psycopg.connect(world.direct) as one:
        one.execute("UPDATE retention.cancellations SET state = 'held', settled_at = now()")
        waiting = psycopg.AsyncConnection.connect(world.direct)
        async with await waiting as two:
            changing = two.cursor().execute(
                "UPDATE retention.cancellations SET state = 'not_sent', settled_at = now(), detail = 'late'"
            )
            task = asyncio.ensure_future(changing)
            while not one.execute("SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'").fetchall():
                one.execute("SELECT pg_stat_clear_snapshot()")
                await asyncio.sleep(0.01)
            one.commit()
            await task
    assert [] == wrong_totals(world.direct)


async def test_nothing_that_tells_stops_or_resumes_a_run_reads_its_plan(world: World, database: Database) -> None:
    """Counts, the rails, the search for dead claims and the way back to the first unsettled round stay within a block."""
    run = (await begin(database)).run_id
    book = Book(database)
    await book.all(GROW, run, ROUNDS)
    await book.all(
        "UPDATE retention.cancellations SET state = 'cancelled', settled_at = now(), attempts = 1, amount = 1.50,"
        " currency = 'EUR' WHERE id <= (SELECT max(id) - %s FROM retention.cancellations)",
        LEFT,
    )
    with psycopg.connect(world.direct, autocommit=True) as direct:  # a pooled session runs it in a transaction
        direct.execute("VACUUM ANALYZE")
    async with explaining(world.direct) as counting:
        ledger = RunLedger(counting)
        work = EngineLedger.of_run(counting, run, "replica", None, asyncio.get_running_loop().time)
        skipped = (await work.claims.claim(Kind.CANCEL, TERMS, after=None, batch=100)).skipped
        assert LEFT == len(skipped)
        assert [] == await work.claims.expire_claims(TERMS, [run])
        assert await work.claims.find_first_unsettled("acme", 0) is None
        assert [] == (await work.claims.claim(Kind.CANCEL, TERMS, after=None, batch=100)).claims
        await work.control.correct_times(1.0, None, [TERMS], leases=True)
        assert await work.control.close_unsent(None, "the deadline came first") is None
        assert await work.control.finish_run("finished", None)
        assert {State.CANCELLED: ROUNDS - LEFT, State.NO_LONGER_OPEN: LEFT} == (await ledger.summarize_run(run)).states
        assert [ROUNDS - LEFT] == [row.cancelled for row in await ledger.list_runs(10)]
        assert ROUNDS == (await Plans(counting).get_plan_totals(run)).rounds
        await PolicyFacts(counting).count_review({"acme": 3})
        await StalledRuns(counting, "replica").end_interrupted_runs()
        most = max(Explaining.work, key=lambda name: Explaining.work[name])
    assert Explaining.work[most] < ROUNDS / 2, f"{most} went through {Explaining.work[most]} rows"
