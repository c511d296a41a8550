"""Daemons whose database makes them wait, is read-only for a while, or fails over."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import psycopg
import psycopg.sql
import pytest
from support.invariants import violations
from support.replica import finished, schedule, serve, until

if TYPE_CHECKING:
    from support.world import World


async def test_replies_that_wait_for_a_locked_table_are_settled_later(world: World) -> None:
    """While the operator's table is locked for longer than a lease, no replica sends a second request for a round that
    the vendor has answered.
    """
    world.partner |= {"rate": 20, "timeout": "4s", "status_probe": False}
    await world.seed(280)
    await schedule(world)
    first, second = await serve(world), await serve(world)
    await first.running.until(world.vendor, lambda: len(world.cancels) > 10)
    async with world.locked("public.rounds", "SHARE"):
        await world.until_waiting()
        # Longer than a lease (slot, timeout and five seconds), and than the search for expired ones.
        await asyncio.sleep(13)
    await until(lambda: finished(world))
    for replica in (first, second):
        await replica.stopped(signal.SIGTERM)
    assert [] == await violations(world)
    assert {1} == {*Counter(request.round_id for request in world.vendor.requests).values()}
    assert ["cancelled"] * 280 == [*(await world.states()).values()]


@pytest.mark.long
async def test_waiting_settlements_leave_connections_for_polls_and_heartbeats(world: World) -> None:
    """While many runs wait for the operator's table, the daemon polls, stays ready, and sends its heartbeats."""
    world.partner["rate"] = 60
    await schedule_many(world, 10)
    replica = await serve(world)
    await replica.running.until(world.vendor, lambda: len(world.cancels) > 60)
    async with world.locked("public.rounds", "SHARE"):
        await world.until_waiting(8)
        for _ in range(30):  # for longer than a heartbeat counts
            await replica.until("/readyz", 200)
            await asyncio.sleep(0.4)
        assert [] == await world.sql("SELECT FROM retention.runs WHERE status = 'running' AND heartbeat_until < now()")
    await until(lambda: world.sql("SELECT FROM retention.runs HAVING bool_and(status IN ('finished', 'cancelled'))"))
    await replica.stopped(signal.SIGTERM)
    assert [] == await violations(world)


@pytest.mark.long
async def test_a_signal_while_plans_wait_starts_no_further_plan(world: World) -> None:
    """A stopped daemon makes none of the waiting plans, and starts none of the planned runs."""
    await schedule_many(world, 6)
    async with AsyncExitStack() as decided:
        await decided.enter_async_context(world.locked("retention.schedules"))
        replica = await serve(world, until="/healthz")
        async with world.locked("public.rounds"):
            await decided.aclose()
            await world.until_waiting(2)
            replica.running.signal(signal.SIGTERM)
            while await replica.get("/readyz") != (503, "draining\n"):
                await asyncio.sleep(0.05)
    done = await replica.running.ended()
    assert 143 == done.code
    runs = await world.sql("SELECT status, count(*) FROM retention.runs WHERE status <> 'cancelled' GROUP BY status")
    assert [("planned", 2)] == runs
    assert [] == world.vendor.requests
    await world.sql("UPDATE retention.runs SET heartbeat_until = now() WHERE status = 'planned'")  # 10 s later
    successor = await serve(world)
    await until(lambda: world.sql("SELECT FROM retention.runs WHERE status = 'finished' HAVING count(*) = 6"))
    await successor.stopped(signal.SIGTERM)


async def test_a_start_waits_for_no_lock_on_the_ledger(world: World) -> None:
    """A locked ledger delays the first metrics, and neither the work of a daemon nor its end."""
    await world.seed(3)
    await schedule(world)
    earlier = await serve(world)
    await until(lambda: finished(world))
    await earlier.stopped(signal.SIGTERM)
    async with world.locked("retention.cancellations"):
        replica = await serve(world)
        await world.until_waiting()
        assert 143 == (await replica.stopped(signal.SIGTERM)).code


async def test_a_read_only_server_loses_no_reply(world: World) -> None:
    """A daemon waits for a standby to be promoted; the run then continues, with every amount."""
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
    """Give the daemon that many policies, each with a due run and rounds of its own."""
    for number in range(count):
        await world.seed(30, prefix=f"p{number}-", market=f"M{number}")
    await schedule(world, minutes_ago=1, markets=["M0"])
    world.policies |= {f"p{number}": {"markets": [f"M{number}"]} for number in range(1, count)}
    await world.sql(
        "INSERT INTO retention.schedules SELECT policy, schedule, timezone, processed_until"
        " FROM retention.schedules, unnest(%(names)s::text[]) AS policy",
        names=[*world.policies],
    )
