"""Killed processes and servers: the next process finishes the work, and no round is called twice for nothing."""

from __future__ import annotations

import asyncio
import random
import signal
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from support.invariants import violations
from support.postgres import crashing_server
from support.replica import helped
from support.world import World, make_world

from retention.simulator.faults import Faults
from retention.simulator.rounds import worst_second

if TYPE_CHECKING:
    from pathlib import Path

    from support.world import Done

ROUNDS = 600

BRIEF = {"timeout": "1s", "max_attempts": 50}
"""Leases end soon; a reply that is late on a busy machine uses up no round's attempts."""

REVIEWED = {0, 4}
"""A reply that was lost for good is made up for by a question, which does not tell the refund: that is for review."""


async def resume(world: World) -> Done:
    """Go on with the only run there is."""
    (run,) = await world.sql("SELECT run_id FROM retention.runs")
    return await world.command("run", "--resume", str(run.run_id), "--json")


@pytest.mark.parametrize("share", [0.0, *[pytest.param(share, marks=pytest.mark.long) for share in (0.02, 0.4, 0.9)]])
async def test_kill_9_and_resume(world: World, share: float) -> None:
    """Killed outright at any moment of a run, and resumed: vendor, ledger and operator agree, each round cancelled
    once.
    """
    await world.seed(ROUNDS)
    world.partner |= {**BRIEF, "rate": 1500}
    world.vendor.latency = 0.01
    process = await world.start("run", "nightly")
    await process.until(world.vendor, lambda: len(world.cancels) > share * ROUNDS)
    process.signal(signal.SIGKILL)
    assert -signal.SIGKILL == (await process.ended()).code
    done = await resume(world)
    assert {"cancelled": ROUNDS} == done.json["states"], done.err[-2000:]
    assert done.code in REVIEWED
    assert [] == await violations(world)


@pytest.mark.long
async def test_kill_9_of_a_targeted_run_and_resume(world: World) -> None:
    """Killed with requests in flight, a run of named rounds is made whole by `run --resume`: each named round is
    cancelled once, and its neighbours are not called.
    """
    names = await world.seed(400, age=timedelta(minutes=5))
    world.partner |= {**BRIEF, "rate": 200}
    world.vendor.latency = 0.05
    path = world.folder / "rounds.csv"
    path.write_text("\n".join(names[:300]))
    words = ("--partner", "acme", "--from-file", str(path), "--evidence", "ticket 7", "--by", "ann")
    process = await world.start("cancel", *words)
    await process.until(world.vendor, lambda: len(world.cancels) > 100)
    process.signal(signal.SIGKILL)
    assert -signal.SIGKILL == (await process.ended()).code
    done = await resume(world)
    assert {"cancelled": 300} == done.json["states"], done.err[-2000:]
    assert done.code in REVIEWED
    assert {*names[:300]} == {request.round_id for request in world.vendor.requests}
    assert [] == await violations(world)


async def test_a_run_killed_within_a_checkpoint(world: World) -> None:
    """Killed once the entries have their places, and before their checkpoint is there: the next process does both."""
    await world.seed(5)
    async with world.locked("retention.checkpoints", "EXCLUSIVE"):  # reading goes on
        process = await world.start("run", "nightly")
        await world.until_waiting()
        process.signal(signal.SIGKILL)
        assert -signal.SIGKILL == (await process.ended()).code
    unplaced = (
        "SELECT count(*) FROM retention.evidence e WHERE NOT EXISTS ("
        "SELECT FROM retention.evidence_leaves l WHERE l.entry_id = e.entry_id)"
    )
    assert [True] == [row.count > 0 for row in await world.sql(unplaced)]
    assert 0 == (await world.command("audit", "verify")).code
    assert 0 == (await world.command("pause", "--by", "ann", "--reason", "a look")).code
    assert [(0,)] == await world.sql(unplaced)
    assert [] == await violations(world)


@pytest.mark.long
async def test_a_run_killed_five_times_is_whole(world: World) -> None:
    """Killed at five random moments in a row, the run is whole in the end."""
    await world.seed(ROUNDS)
    world.partner |= {**BRIEF, "rate": 1000}
    world.vendor.latency = 0.005
    chance = random.Random(7)
    process = await world.start("run", "nightly")
    for _ in range(4):
        heard = len(world.cancels) + chance.randrange(1, 100)
        await process.until(world.vendor, lambda heard=heard: len(world.cancels) > heard)  # type: ignore[misc]
        process.signal(signal.SIGKILL)
        await process.ended()
        (run,) = await world.sql("SELECT run_id FROM retention.runs")
        process = await world.start("run", "--resume", str(run.run_id))
    assert (await process.ended()).code in REVIEWED
    assert [] == await violations(world)


async def test_a_signal_drains(world: World) -> None:
    """SIGTERM stops sending at once, settles requests in flight, releases the other claims, and exits with 143."""
    await world.seed(ROUNDS)
    world.partner |= {"rate": 200, "timeout": "60s"}
    world.vendor.latency = 0.3
    process = await world.start("run", "nightly", "--json")
    await process.until(world.vendor, lambda: len(world.cancels) > 60)
    process.signal(signal.SIGTERM)
    done = await process.ended()
    assert 143 == done.code, done.err[-2000:]
    assert {"cancelled", "planned"} == set(done.json["states"])
    assert len(world.cancels) == done.json["states"]["cancelled"]
    assert [] == await violations(world)
    world.vendor.latency = 0
    world.partner["rate"] = 2000
    assert (0, ROUNDS) == ((done := await resume(world)).code, done.json["states"]["cancelled"])
    assert ROUNDS == len(world.cancels)


async def test_sigint_while_planning_leaves_no_run(world: World) -> None:
    """SIGINT before the plan is frozen leaves no run behind, and the code is 130."""
    await world.seed(10)
    async with world.locked("retention.runs"):
        process = await world.start("run", "nightly")
        await world.until_waiting()
        process.signal(signal.SIGINT)
        assert 130 == (await process.ended()).code
    assert [] == await world.sql("SELECT FROM retention.runs")


async def test_the_vendor_down_for_five_seconds(world: World) -> None:
    """An outage at the vendor's delays a run; it neither loses nor doubles a cancel."""
    await world.seed(ROUNDS)
    world.partner |= {**BRIEF, "rate": 400}
    process = await world.start("run", "nightly", "--json")
    await process.until(world.vendor, lambda: len(world.cancels) > 100)
    await world.vendor.down()
    await asyncio.sleep(5)  # the outage itself
    await world.vendor.up()
    done = await process.ended()
    assert {"cancelled": ROUNDS} == done.json["states"], done.err[-2000:]
    assert done.code in REVIEWED
    assert [] == await violations(world)


@pytest.mark.long
async def test_a_run_survives_a_restart_of_postgres(tmp_path: Path) -> None:
    """PostgreSQL stopped with -m immediate and started again: the same process finishes the run, with nothing lost."""
    async with crashing_server() as server, make_world(server.dsn, tmp_path) as world:
        await world.seed(ROUNDS)
        world.partner |= {**BRIEF, "rate": 400}
        process = await world.start("run", "nightly", "--json")
        for heard in (100, 300):
            await process.until(world.vendor, lambda heard=heard: len(world.cancels) > heard)  # type: ignore[misc]
            await server.crash()
        done = await process.ended()
        assert {"cancelled": ROUNDS} == done.json["states"], done.err[-2000:]
        assert done.code in REVIEWED
        assert [] == await violations(world)


@pytest.mark.parametrize("processes", [pytest.param(2, marks=pytest.mark.long), 3])
async def test_several_processes_share_a_run_within_the_rate(world: World, processes: int) -> None:
    """Helpers share one run: no round twice in flight, and no sliding second above the rate."""
    await world.seed(400)
    world.partner |= {"rate": 40, "timeout": "60s"}
    world.vendor.latency = 0.02
    first = await world.start("run", "nightly", "--json")
    await first.until(world.vendor, lambda: len(world.cancels) > 0)
    helpers = await helped(world, first, processes - 1)
    ends = await asyncio.gather(*(one.ended() for one in [first, *helpers]))
    assert [0] * processes == [done.code for done in ends], ends[-1].err[-2000:]
    assert [] == await violations(world)
    # Seen from both ends of the wire: a stall of one end's process bunches its own times, both ends see a burst.
    sent = await world.sql(
        "SELECT extract(epoch FROM sent_at)::float8 AS at FROM retention.attempts"
        " WHERE kind = 'cancel' AND sent_at IS NOT NULL"  # a claim whose COMMIT was cut may never be sent
    )
    assert min(world.vendor.worst_second(), worst_second(row.at for row in sent)) <= 42
    shares = await world.sql(
        "SELECT replica, count(*) FROM retention.attempts WHERE sent_at IS NOT NULL GROUP BY replica"
    )
    assert processes == len(shares)


@pytest.mark.long
async def test_a_killed_helpers_claims_are_taken_over(world: World) -> None:
    """A killed process's claims are taken over after their lease by the remaining process, and asked about first."""
    await world.seed(300)
    world.partner |= {"rate": 60, **BRIEF}
    world.vendor.faults = Faults.of({"round_ids": ["r10"], "first": 1, "hang": "after"})
    first = await world.start("run", "nightly", "--json")
    await first.until(world.vendor, lambda: len(world.cancels) > 12)
    (run,) = await world.sql("SELECT run_id FROM retention.runs")
    helper = await world.start("run", "--resume", str(run.run_id), "--json")
    first.signal(signal.SIGKILL)
    await first.ended()
    done = await helper.ended()
    assert {"cancelled": 300} == done.json["states"], done.err[-2000:]
    assert done.code in REVIEWED
    assert [] == await violations(world)
