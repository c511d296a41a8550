"""Plans of named rounds in a real ledger: races with other plans, evidence, and what they leave alone."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import psycopg
import pytest

from retention.core.planning.named_rounds import NamedRound, RefusedRound
from retention.ledger import named_rounds as module
from retention.ledger.named_rounds import NamedRounds
from retention.ledger.policy_facts import PolicyFacts
from retention.ledger.run_request import RunRequest
from retention.ledger.runs import RunLedger

if TYPE_CHECKING:
    from support.ledger import Book
    from support.world import World

    from retention.core.planning.plan import Plan
    from retention.ledger.database import Database

REPLICA = "host-1"


async def plan_named(
    database: Database, *round_ids: str, run_id: UUID | None = None, twice: tuple[RefusedRound, ...] = ()
) -> Plan:
    """Plan a targeted run of these rounds of acme."""
    request = RunRequest(run_id or uuid4(), "targeted", "enforce", "ann", None, {}, evidence="ticket 7")
    named = [NamedRound("acme", one) for one in round_ids]
    return await NamedRounds(database, REPLICA).create_run(request, named, {"acme": 3}, twice)


async def test_a_plan_at_the_same_moment_keeps_its_rounds(world: World, database: Database, book: Book) -> None:
    """While another run writes a round into its plan, a targeted run waits, and then names the run that has it."""
    await world.seed(2)
    other = await book.run(status="planned", heartbeat_until=datetime.now(UTC) + timedelta(minutes=1))
    async with await psycopg.AsyncConnection.connect(world.direct) as connection:
        await connection.execute(
            "INSERT INTO retention.cancellations (run_id, partner, market, user_id, round_id, opened_at)"
            " VALUES (%s, 'acme', 'MT', 'user-r0', 'r0', now())",
            [other],
        )
        planning = asyncio.create_task(plan_named(database, "r0", "r1"))
        await world.until_waiting()
    plan = await planning
    assert (1, (RefusedRound("acme", "r0", "live", other),)) == (plan.rounds, plan.refused)


async def test_a_large_refusal_leaves_entries_of_a_thousand(
    world: World, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refused rounds are in evidence in the order of their names, in several entries where they are many."""
    monkeypatch.setattr(module, "REFUSALS_AN_ENTRY", 2)
    await world.seed(1)
    twice = (RefusedRound("acme", "r9", "named_twice"),)
    plan = await plan_named(database, "r3", "r0", "r2", twice=twice)
    assert ["r9", "r3", "r2"] == [one.round_id for one in plan.refused]
    rows = await world.sql("SELECT body::json AS body FROM retention.evidence WHERE kind = 'refused' ORDER BY entry_id")
    assert [["r9", "r3"], ["r2"]] == [[one["round"] for one in row.body["facts"]["rounds"]] for row in rows]


async def test_a_targeted_plan_is_sealed(world: World, database: Database) -> None:
    """A targeted run has the digest of its rows, as any planned run."""
    await world.seed(2)
    run_id = uuid4()
    await plan_named(database, "r0", "r1", run_id=run_id)
    (row,) = await world.sql("SELECT plan_digest, retention.plan_digest(run_id) AS again FROM retention.runs")
    assert row.plan_digest == row.again
    assert 64 == len(row.plan_digest)


async def test_abandoned_claims_of_other_runs_stay_as_they_are(world: World, database: Database, book: Book) -> None:
    """A targeted plan neither expires nor adopts what another run left behind, and supersedes only what was named."""
    await world.seed(4)
    halted = await book.run(status="halted", halt_reason="max_amount: x")
    for name, state in (("r0", "planned"), ("r1", "planned"), ("r2", "claimed"), ("r3", "in_doubt")):
        await book.row(halted, name, state)
    plan = await plan_named(database, "r0", "r2", "r3")
    assert (1, ["live", "in_doubt"]) == (plan.rounds, [one.why for one in plan.refused])
    rows = await world.sql(
        "SELECT round_id, state, adopted_by_run FROM retention.cancellations WHERE run_id = %(run)s ORDER BY round_id",
        run=halted,
    )
    expected = [("r0", "not_sent", None), ("r1", "planned", None), ("r2", "claimed", None), ("r3", "in_doubt", None)]
    assert expected == [tuple(row) for row in rows]


@pytest.mark.usefixtures("world")
async def test_targeted_runs_say_nothing_about_a_policy(database: Database, book: Book) -> None:
    """The last runs of a policy, and the plans that max_surge compares with, leave out targeted runs of its name."""
    await book.run(policy="targeted", trigger="targeted", planned_rounds=3)
    (last,) = (await PolicyFacts(database).list_last_runs(["targeted"], [])).values()
    assert (None, None) == (last.finished_at, last.succeeded_at)
    assert [] == await RunLedger(database).list_recent_plan_sizes("targeted")
    await book.run(policy="targeted", planned_rounds=0)
    assert [0] == await RunLedger(database).list_recent_plan_sizes("targeted")
