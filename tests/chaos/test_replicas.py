"""Three replicas, of which one is killed, one is stopped, and whose database is taken away."""

from __future__ import annotations

import asyncio
import signal
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from support.invariants import violations
from support.postgres import crashing_server
from support.replica import schedule, serve, until
from support.world import make_world

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from support.world import World


async def replicas_of(world: World) -> int:
    """How many replicas have sent something in the newest run."""
    (row,) = await world.sql(
        "SELECT count(DISTINCT a.replica) AS replicas FROM retention.attempts a"
        " WHERE a.sent_at IS NOT NULL"
        " AND a.run_id = (SELECT run_id FROM retention.runs WHERE status <> 'cancelled' ORDER BY as_of DESC LIMIT 1)"
    )
    return int(row.replicas)


async def test_a_run_outlives_two_of_three_replicas_and_a_crash_of_the_database(tmp_path: Path) -> None:
    """A replica is killed, the database crashes and another replica gets SIGTERM: the third one ends the run, each
    round cancelled once.
    """
    async with crashing_server() as server, make_world(server.dsn, tmp_path) as world:
        await world.seed(700)
        world.partner |= {"rate": 100, "timeout": "1s", "max_attempts": 50}
        await schedule(world)
        killed, stopped, last = await asyncio.gather(*(serve(world) for _ in range(3)))
        await until(lambda: all_three(world))
        killed.running.signal(signal.SIGKILL)
        assert -signal.SIGKILL == (await killed.running.ended()).code
        await last.running.until(world.vendor, lambda: len(world.cancels) > 250)
        await server.crash()
        await last.running.until(world.vendor, lambda: len(world.cancels) > 400)
        assert 143 == (await stopped.stopped(signal.SIGTERM)).code
        await until(lambda: world.sql("SELECT FROM retention.runs WHERE status = 'finished'"))
        assert 143 == (await last.stopped(signal.SIGTERM)).code
        assert ["cancelled"] * 700 == [*(await world.states()).values()]
        assert [] == await violations(world)


async def all_three(world: World) -> bool:
    """Whether three replicas work on the newest run."""
    return await replicas_of(world) == 3


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_three_replicas_share_five_scheduled_runs_despite_crashes(tmp_path: Path) -> None:
    """Three replicas share five scheduled runs, each made once. A replica is killed in the second run, the database
    crashes in the third, and a replica gets SIGTERM in the fourth.
    """
    async with crashing_server() as server, make_world(server.dsn, tmp_path) as world:
        world.partner |= {"rate": 20, "timeout": "2s"}
        world.policy |= {"schedule": "* * * * *", "timezone": "Europe/Malta"}
        replicas = [*await asyncio.gather(*(serve(world) for _ in range(3)))]
        ends = []

        async def nothing() -> None:
            """Leave them alone."""

        async def end_one(number: signal.Signals) -> None:
            """Have one leave, and start another in its place, as a supervisor does."""
            ends.append((number, (await replicas.pop(0).stopped(number)).code))
            replicas.append(await serve(world))

        in_the_middle: list[Callable[[], Awaitable[None]]] = [
            nothing,
            lambda: end_one(signal.SIGKILL),
            server.crash,
            lambda: end_one(signal.SIGTERM),
            nothing,
        ]
        times = []
        for number, trouble in enumerate(in_the_middle):
            await world.seed(300, prefix=f"n{number}-")
            await until(lambda number=number: begun(world, number + 1))  # type: ignore[misc]
            await until(lambda: all_three(world))
            await trouble()
            await until(lambda: nothing_unfinished(world))
            (run,) = await world.sql("SELECT scheduled_for FROM retention.runs ORDER BY as_of DESC LIMIT 1")
            times.append(run.scheduled_for)
        ends += [(signal.SIGTERM, (await replica.stopped(signal.SIGTERM)).code) for replica in replicas]
        assert [times[0] + timedelta(minutes=minute) for minute in range(5)] == times
        assert [5] == [row.runs for row in await world.sql("SELECT count(*) AS runs FROM retention.runs")]
        assert [(signal.SIGKILL, -9), *[(signal.SIGTERM, 143)] * 4] == ends
        assert ["cancelled"] * 1500 == [*(await world.states()).values()]
        assert [] == await violations(world)


async def begun(world: World, runs: int) -> bool:
    """Whether there are so many runs."""
    return len(await world.sql("SELECT FROM retention.runs")) == runs


async def nothing_unfinished(world: World) -> bool:
    """Whether every run is finished."""
    return not await world.sql("SELECT FROM retention.runs WHERE status <> 'finished'")
