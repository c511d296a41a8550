"""Daemons whose database makes them wait, takes back what it promised, or is about to be another one."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import psycopg
import psycopg.sql
from support.agreement import violations
from support.replica import finished, schedule, serve, until

if TYPE_CHECKING:
    from support.world import World


async def test_replies_that_cannot_be_written_are_not_lost(world: World) -> None:
    """While the operator's table takes no writes for longer than a lease, no replica asks or calls again what the vendor
    has answered.
    """
    world.partner |= {"rate": 20, "timeout": "1s", "status_probe": False}
    await world.seed(280)
    await schedule(world)
    first, second = await serve(world), await serve(world)
    await first.running.until(world.vendor, lambda: len(world.cancels) > 10)
    async with world.locked("public.rounds", "SHARE"):
        await world.until_waiting()
        await asyncio.sleep(12)  # a lease is slot, timeout and five seconds; and then it has to be found
    await until(lambda: finished(world))
    for replica in (first, second):
        await replica.stopped(signal.SIGTERM)
    assert [] == await violations(world)
    assert {1} == {*Counter(request.round_id for request in world.vendor.requests).values()}
    assert ["cancelled"] * 280 == [*(await world.states()).values()]


async def test_settlements_that_wait_leave_connections_to_the_rest(world: World) -> None:
    """However many runs wait for the operator's table, the daemon goes on looking, is ready, and keeps its runs alive."""
    world.partner["rate"] = 60
    await schedule_many(world, 14)
    replica = await serve(world)
    await replica.running.until(world.vendor, lambda: len(world.cancels) > 60)
    async with world.locked("public.rounds", "SHARE"):
        await world.until_waiting(8)
        for _ in range(30):  # for longer than a run without a sign of life counts as alive
            await replica.until("/readyz", 200)
            await asyncio.sleep(0.4)
        assert [] == await world.sql("SELECT FROM retention.runs WHERE status = 'running' AND heartbeat_until < now()")
    await until(lambda: world.sql("SELECT FROM retention.runs HAVING bool_and(status IN ('finished', 'cancelled'))"))
    await replica.stopped(signal.SIGTERM)
    assert [] == await violations(world)


async def test_a_signal_that_comes_while_plans_wait_begins_no_more(world: World) -> None:
    """Of the plans that wait for their turn when a daemon is told to stop none is made, and none that was made is begun."""
    await schedule_many(world, 6)
    async with AsyncExitStack() as decided:
        await decided.enter_async_context(world.locked("retention.schedules"))
        replica = await serve(world, until="/healthz")
        async with world.locked("public.rounds"):
            await decided.aclose()
            await world.until_waiting(2)
            replica.running.signal(signal.SIGTERM)
            await asyncio.sleep(0.5)
    done = await replica.running.ended()
    assert 143 == done.code
    runs = await world.sql("SELECT status, count(*) FROM retention.runs WHERE status <> 'cancelled' GROUP BY status")
    assert [("planned", 2)] == runs
    assert [] == world.vendor.requests
    await world.sql("UPDATE retention.runs SET heartbeat_until = now() WHERE status = 'planned'")  # 10 s later
    successor = await serve(world)
    await until(lambda: world.sql("SELECT FROM retention.runs WHERE status = 'finished' HAVING count(*) = 6"))
    await successor.stopped(signal.SIGTERM)


async def test_a_start_waits_for_no_lock(world: World) -> None:
    """What the metrics want to know of earlier runs keeps a daemon neither from its work nor from its end."""
    await world.seed(3)
    await schedule(world)
    earlier = await serve(world)
    await until(lambda: finished(world))
    await earlier.stopped(signal.SIGTERM)
    async with world.locked("retention.cancellations"):
        replica = await serve(world)
        await world.until_waiting()
        assert 143 == (await replica.stopped(signal.SIGTERM)).code


async def test_a_server_that_only_reads_for_a_while_loses_no_reply(world: World) -> None:
    """A fail-over to a standby that is promoted a little later is waited for: the run goes on, with every amount."""
    world.partner["rate"] = 50
    await world.seed(200)
    await schedule(world)
    replica = await serve(world)
    await replica.running.until(world.vendor, lambda: len(world.cancels) > 30)
    async with await psycopg.AsyncConnection.connect(world.dsn, autocommit=True) as connection:
        name = psycopg.sql.Identifier(connection.info.dbname)
        for only in ("on", "off"):
            await connection.execute(
                psycopg.sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = {}").format(name, only)
            )
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'retention'"
                " AND datname = current_database()"
            )
            await asyncio.sleep(2)
    await until(lambda: finished(world))
    done = await replica.stopped(signal.SIGTERM)
    assert {"run.crashed", "notification.crashed"}.isdisjoint(event["event"] for event in done.events)
    assert [] == await violations(world)
    assert [(200, 200)] == await world.sql(
        "SELECT count(*) AS rounds, count(amount) AS amounts FROM retention.cancellations WHERE state = 'cancelled'"
    )


async def schedule_many(world: World, count: int) -> None:
    """Give the daemon that many policies, each with a run that is due and rounds of its own to cancel."""
    for number in range(count):
        await world.seed(30, prefix=f"p{number}-", market=f"M{number}")
    await schedule(world, minutes_ago=1, markets=["M0"])
    world.policies |= {f"p{number}": {"markets": [f"M{number}"]} for number in range(1, count)}
    await world.sql(
        "INSERT INTO retention.schedules SELECT name, schedule, timezone, processed_until"
        " FROM retention.schedules, unnest(%(names)s::text[]) AS name",
        names=[*world.policies],
    )
