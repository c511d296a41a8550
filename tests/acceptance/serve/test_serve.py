"""`retention serve`: every scheduled time is run exactly once, also when replicas die, drain or pause."""

from __future__ import annotations

import asyncio
import signal
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import psycopg
import pytest
from support.invariants import violations
from support.replica import finished, last_departure, schedule, serve, until

from retention.simulator.faults import Faults

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from support.replica import Replica
    from support.world import World


async def test_three_replicas_run_a_scheduled_time_once_and_share_it(world: World) -> None:
    """One of three replicas plans the due run and all join it; each event is logged once, older times are missed."""
    await world.seed(400)
    world.partner["rate"] = 100
    await schedule(world, minutes_ago=3)
    async with world.locked("retention.schedules"):  # until all three are there to see it
        replicas = await asyncio.gather(*(serve(world, until="/healthz") for _ in range(3)))
        await world.until_waiting(3)
    await until(lambda: finished(world))
    ends = await asyncio.gather(*(replica.stopped(signal.SIGTERM) for replica in replicas))
    assert [143] * 3 == [done.code for done in ends]
    events = [event for done in ends for event in done.events]
    assert [1, 1, 1, 1] == [
        sum(event["event"] == name for event in events)
        for name in ("schedule.fired", "run.planned", "run.started", "run.finished")
    ]
    assert 400 == len(world.cancels)
    assert [] == await violations(world)
    assert 2 == sum(event["event"] == "run.joined" for event in events)
    (shares,) = await world.sql("SELECT count(DISTINCT replica) AS replicas FROM retention.attempts")
    assert 2 <= shares.replicas  # a replica that is never first to claim in four seconds sends nothing
    runs = await world.sql(
        "SELECT scheduled_for, status, halt_reason, requested_by, trigger FROM retention.runs ORDER BY scheduled_for"
    )
    assert {("schedule", "schedule")} == {(run.trigger, run.requested_by) for run in runs}
    assert ["cancelled", "cancelled", "finished"] == [run.status for run in runs[:3]]
    assert {"missed: a newer time was run instead"} == {run.halt_reason for run in runs[:2]}
    listed = (await world.command("runs", "list", "--json")).json
    assert {run.scheduled_for for run in runs} == {datetime.fromisoformat(run["scheduled_for"]) for run in listed}


async def down_since_two_hours(world: World, **policy: object) -> datetime:
    """Leave a schedule whose daemon went away 140 minutes ago, ten minutes before its only time; returns that time."""
    (row,) = await world.sql("SELECT date_trunc('minute', now() AT TIME ZONE 'UTC') AS now")
    time: datetime = row.now.replace(tzinfo=UTC) - timedelta(minutes=130)
    await schedule(
        world, minutes_ago=140, **{"schedule": f"{time.minute} {time.hour} * * *", "timezone": "UTC", **policy}
    )
    return time


async def test_a_missed_time_is_run_within_catch_up(world: World) -> None:
    """A daemon that was down for two hours after the time runs it once, late, within a catch_up of six."""
    await world.seed(5)
    time = await down_since_two_hours(world, catch_up="6h")
    replica = await serve(world)
    await until(lambda: finished(world))
    done = await replica.stopped(signal.SIGTERM)
    (run,) = await world.sql("SELECT scheduled_for, status, trigger FROM retention.runs")
    assert (time, "finished", "schedule") == (run.scheduled_for, run.status, run.trigger)
    (fired,) = [event for event in done.events if event["event"] == "schedule.fired"]
    assert 130 * 60 <= fired["late_s"] < 140 * 60
    assert 5 == len(world.cancels)


async def test_a_time_beyond_catch_up_is_missed_and_recorded(world: World) -> None:
    """Nothing is sent, and the time is missed in the log, the metrics and `runs list`."""
    await world.seed(5)
    time = await down_since_two_hours(world, catch_up="1h")
    replica = await serve(world)
    await until(lambda: world.sql("SELECT FROM retention.runs"))
    assert 'retention_schedule_missed_total{policy="nightly"} 1.0' in (await replica.get("/metrics"))[1]
    done = await replica.stopped(signal.SIGTERM)
    (missed,) = [event for event in done.events if event["event"] == "schedule.missed"]
    assert (time, "missed: no daemon could run it within catch_up (1h)", "error") == (
        datetime.fromisoformat(missed["scheduled_for"]),
        missed["reason"],
        missed["level"],
    )
    (listed,) = (await world.command("runs", "list", "--json")).json
    assert ("schedule", "cancelled", missed["reason"]) == (listed["trigger"], listed["status"], listed["halt_reason"])
    assert [] == world.vendor.requests


async def begun(world: World, *words: str, rounds: int = 300) -> Replica:
    """Start a replica, and wait until it works on a run."""
    await world.seed(rounds)
    await schedule(world)
    replica = await serve(world, *words)
    await replica.running.until(world.vendor, lambda: len(world.cancels) > 20)
    return replica


async def test_sigterm_drains_and_the_next_start_goes_on(world: World) -> None:
    """After SIGTERM no request is sent, requests in flight are settled, the exit code is 143; the next start
    resumes.
    """
    world.partner["rate"] = 100
    world.vendor.latency = 0.3
    replica = await begun(world)
    stopped_at = datetime.now(UTC)
    done = await replica.stopped(signal.SIGTERM)
    assert 143 == done.code
    assert await last_departure(world) <= stopped_at + timedelta(seconds=1)
    states = [*(await world.states()).values()]
    assert {"cancelled", "planned"} == set(states)
    assert len(world.cancels) == states.count("cancelled")
    world.vendor.latency = 0
    other = await serve(world)
    await until(lambda: finished(world))
    assert 130 == (await other.stopped(signal.SIGINT)).code
    assert 300 == len(world.cancels)
    assert [] == await violations(world)
    assert [1] == [
        row.runs for row in await world.sql("SELECT count(*) AS runs FROM retention.runs WHERE status <> 'cancelled'")
    ]


@pytest.mark.parametrize("how", ["a second signal", pytest.param("the drain's end", marks=pytest.mark.long)])
async def test_a_drain_can_be_cut_short(world: World, how: str) -> None:
    """A second signal, or the end of --drain-timeout, ends a process whose requests hang. They become doubts, which the
    next replica settles; every round is cancelled once.
    """
    world.partner |= {"rate": 100, "timeout": "8s"}
    world.vendor.faults = Faults.of({"round_ids": ["r5", "r6"], "first": 1, "hang": "after"})
    replica = await begun(world, "--drain-timeout", "1s" if "end" in how else "25s", rounds=60)
    await replica.running.until(world.vendor, lambda: {"r5", "r6"} <= {request.round_id for request in world.cancels})
    replica.running.signal(signal.SIGTERM)
    if "second" in how:
        assert "draining\n" == await replica.until("/readyz", 503)
        assert 200 == (await replica.get("/healthz"))[0]
        replica.running.signal(signal.SIGTERM)
    assert 143 == (await replica.running.ended()).code
    unsettled = await world.sql(
        "SELECT c.round_id FROM retention.attempts a JOIN retention.cancellations c ON c.id = a.cancellation_id"
        " WHERE a.outcome IS NULL"
    )
    assert unsettled  # it waited for no timeout of theirs
    other = await serve(world)
    await until(lambda: finished(world))
    await other.stopped(signal.SIGTERM)
    assert ["cancelled"] * 60 == [*(await world.states()).values()]
    assert [] == await violations(world)


async def test_a_paused_run_is_resumed_by_itself(world: World) -> None:
    """The kill switch halts the scheduled run; the daemon resumes it by itself once the pause ends."""
    world.partner["rate"] = 40
    replica = await begun(world)
    assert 0 == (await world.command("pause", "--by", "tess", "--reason", "odd refunds")).code
    await until(lambda: world.sql("SELECT FROM retention.runs WHERE status = 'halted' AND paused"))
    await asyncio.sleep(1.5)  # more than one pass of the daemon
    assert [] == await world.sql(
        "SELECT FROM retention.attempts, retention.pauses WHERE kind = 'cancel' AND sent_at > paused_at + interval '1 s'"
    )
    assert 0 == (await world.command("resume", "--by", "tess")).code
    await until(lambda: finished(world))
    assert 143 == (await replica.stopped(signal.SIGTERM)).code
    assert 300 == len(world.cancels)
    assert [] == await violations(world)


async def test_a_run_that_a_rail_halted_needs_an_override(world: World) -> None:
    """No replica resumes a scheduled run that a rail halted; a person overrides the rail."""
    await world.seed(30)
    world.policy["max_rounds"] = 20
    await schedule(world)
    replica = await serve(world)
    await until(lambda: world.sql("SELECT FROM retention.runs WHERE status = 'halted'"))
    await asyncio.sleep(1.5)  # more than one pass of the daemon
    assert [] == world.vendor.requests
    (run,) = await world.sql("SELECT run_id FROM retention.runs WHERE status = 'halted'")
    words = ("run", "--resume", str(run.run_id), "--override", "thirty is right", "--by", "tess")
    assert 0 == (await world.command(*words)).code
    assert 143 == (await replica.stopped(signal.SIGTERM)).code
    assert 30 == len(world.cancels)


@asynccontextmanager
async def held_up_at_the_start(world: World) -> AsyncIterator[None]:
    """Make every start of a run wait until the context ends, and then break the waiting connections."""
    await world.sql(
        "CREATE FUNCTION public.wait() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN PERFORM pg_advisory_xact_lock(7); RETURN new; END $$"
    )
    await world.sql(
        "CREATE TRIGGER wait BEFORE UPDATE ON retention.runs FOR EACH ROW"
        " WHEN (new.status = 'running') EXECUTE FUNCTION public.wait()"
    )
    async with await psycopg.AsyncConnection.connect(world.dsn) as connection:
        await connection.execute("SELECT pg_advisory_xact_lock(7)")
        yield
        await world.sql(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )


async def test_a_planned_run_of_a_dead_replica_is_adopted(world: World) -> None:
    """A replica killed between its plan and its first request leaves a planned run, which another adopts and sends."""
    await world.seed(5)
    await schedule(world)
    async with held_up_at_the_start(world):
        first = await serve(world)
        await world.until_waiting()
        first.running.signal(signal.SIGKILL)
        assert -signal.SIGKILL == (await first.running.ended()).code
    assert ["planned"] == [
        row.status
        for row in await world.sql(
            "SELECT status FROM retention.runs WHERE trigger = 'schedule' AND status <> 'cancelled'"
        )
    ]
    await world.sql("UPDATE retention.runs SET heartbeat_until = now() - interval '1 second' WHERE status = 'planned'")
    second = await serve(world)
    await until(lambda: finished(world))
    done = await second.stopped(signal.SIGTERM)
    assert 5 == len(world.cancels)
    assert [] == [event for event in done.events if event["event"] == "schedule.fired"]


@pytest.mark.long
async def test_a_deadline_waits_for_the_leases_of_a_dead_replica(world: World) -> None:
    """A replica killed just before the deadline leaves claims with longer leases. The next replica ends the run once
    they are doubts; the next run settles them.
    """
    world.partner |= {"rate": 100, "timeout": "1s"}
    world.policy["deadline"] = "1h"
    replica = await begun(world, rounds=400)
    await replica.stopped(signal.SIGKILL)
    await world.sql("UPDATE retention.runs SET send_until = now() WHERE status = 'running'")  # an hour later
    other = await serve(world)
    await until(lambda: finished(world))
    done = await other.stopped(signal.SIGTERM)
    assert ["run.joined", "run.finished"] == [
        event["event"]
        for event in done.events
        if event["event"].startswith("run.") and event["event"] != "run.given_up"
    ]
    assert {"cancelled", "in_doubt", "not_sent"} == set((await world.states()).values())
    del world.policy["deadline"]
    world.partner |= {"rate": 2000, "timeout": "10s"}
    await world.command("run")
    assert ["cancelled"] * 400 == [*(await world.states()).values()]
    assert [] == await violations(world)
