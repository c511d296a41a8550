"""A closed run, and a run under a stricter policy: only a person continues it."""

from __future__ import annotations

import asyncio
import signal
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from support.invariants import violations
from support.replica import schedule, serve, until

if TYPE_CHECKING:
    from support.world import Done, World

NOBODY = "00000000-0000-4000-8000-000000000000"


async def close(world: World, run_id: str, note: str = "the wrong age") -> Done:
    """Close a run."""
    return await world.command("runs", "close", run_id, "--by", "ann", "--note", note)


async def halted(world: World) -> str:
    """Plan a run that a rail halts before its first call; return its id."""
    world.policy["max_amount"] = {"EUR": "1"}
    done = await world.command("run", "--json")
    assert 3 == done.code, done.err
    del world.policy["max_amount"]
    run_id: str = done.json["run_id"]
    return run_id


async def test_close_ends_a_halted_run_for_good(world: World) -> None:
    """The closed run's rounds stay unsent, and person and note are recorded.

    No resume starts it, and the next run plans its rounds.
    """
    await world.seed(5)
    run_id = await halted(world)
    done = await close(world, run_id)
    assert (0, f"run {run_id} is closed: 5 not sent, 0 left in doubt\n") == (done.code, done.out)
    shown = (await world.command("runs", "show", run_id, "--json")).json
    assert ("cancelled", "closed by ann: the wrong age", {"not_sent": 5}) == (
        shown["status"],
        shown["halt_reason"],
        shown["states"],
    )
    resumed = await world.command("run", "--resume", run_id, "--json")
    assert (4, "cancelled") == (resumed.code, resumed.json["status"])
    again, unknown, blank = await asyncio.gather(close(world, run_id), close(world, NOBODY), close(world, run_id, " "))
    assert (2, f"error: run {run_id} is cancelled already: there is nothing to call off\n") == (again.code, again.err)
    assert (2, True) == (unknown.code, f"there is no run {NOBODY}" in unknown.err)
    assert (2, True) == (blank.code, "must not be blank" in blank.err)
    done = await world.command("run", "--json")
    assert (0, {"cancelled": 5}) == (done.code, done.json["states"]), done.err
    assert [] == await violations(world)


async def test_close_stops_a_running_run(world: World) -> None:
    """Its process stops within a second, settles its requests in flight, and leaves no planned round."""
    await world.seed(200)
    world.partner["rate"] = 40
    world.vendor.latency = 0.3
    process = await world.start("run", "nightly", "--json")
    await process.until(world.vendor, lambda: len(world.cancels) > 10)
    (run,) = await world.sql("SELECT run_id FROM retention.runs")
    one, other = await asyncio.gather(close(world, str(run.run_id)), close(world, str(run.run_id)))
    assert [0, 2] == sorted((one.code, other.code))
    done = await process.ended()
    assert (4, "cancelled", {"cancelled", "not_sent"}) == (done.code, done.json["status"], set(done.json["states"]))
    (ended,) = await world.sql("SELECT finished_at FROM retention.runs")
    assert [] == await violations(world, stopped=ended.finished_at)
    world.partner["rate"] = 2000
    world.vendor.latency = 0.0
    done = await world.command("run", "--json")
    assert (0, {"cancelled": 200 - len(world.cancels) + done.json["rounds"]}) == (done.code, done.json["states"]), (
        done.err
    )
    assert [] == await violations(world)


async def test_close_keeps_the_doubts_of_a_killed_run(world: World) -> None:
    """Requests in flight of a killed process stay doubts.

    The next run settles them and cancels the other rounds, once each.
    """
    await world.seed(60)
    world.partner |= {"rate": 40, "timeout": "1s"}
    world.vendor.latency = 0.5
    process = await world.start("run", "nightly", "--json")
    await process.until(world.vendor, lambda: len(world.cancels) > 10)
    process.signal(signal.SIGKILL)
    await process.ended()
    (run,) = await world.sql("SELECT run_id FROM retention.runs")
    assert 0 == (await close(world, str(run.run_id))).code
    world.partner["timeout"] = "10s"
    world.vendor.latency = 0.0
    # A lease is longer than any request: it ends after their effects.
    await world.vendor.until(lambda: all(request.effect_at is not None for request in world.cancels))
    await world.sql("UPDATE retention.runs SET heartbeat_until = now()")
    await world.sql("UPDATE retention.cancellations SET lease_until = now() WHERE state = 'claimed'")
    done = await world.command("run", "--json")
    assert {"cancelled"} == set(done.json["states"]) | set(done.json["taken_up"]), done.err
    assert [1] * 60 == [one.cancelled_times for one in world.vendor.rounds.values()]
    assert [] == await violations(world)


@pytest.mark.parametrize("stricter", [True, pytest.param(False, marks=pytest.mark.long)], ids=["stricter", "looser"])
async def test_a_stricter_policy_keeps_a_paused_run_from_resuming(world: World, stricter: bool) -> None:
    """A policy that became stricter during a pause holds: only a person resumes its run."""
    await world.seed(40, age=timedelta(hours=2))
    world.partner["rate"] = 10
    world.policy["open_longer_than"] = "1h"
    await schedule(world)
    replica = await serve(world)
    await replica.running.until(world.vendor, lambda: len(world.cancels) > 2)
    assert 0 == (await world.command("pause", "--by", "tess", "--reason", "the wrong age")).code
    await until(lambda: world.sql("SELECT FROM retention.runs WHERE paused"))
    world.policy["open_longer_than"] = "72h" if stricter else "30m"
    world.configure()
    replica.running.signal(signal.SIGHUP)
    called = len(world.cancels)
    assert 0 == (await world.command("resume", "--by", "tess")).code
    if stricter:
        await until(lambda: world.sql("SELECT FROM retention.runs WHERE status = 'halted' AND NOT paused"))
        (run,) = await world.sql(
            "SELECT run_id, halt_reason FROM retention.runs WHERE trigger = 'schedule' AND mode = 'enforce' AND status = 'halted'"
        )
        assert "stricter: open_longer_than was 1h, is 3d" == run.halt_reason
        assert called == len(world.cancels)
        world.partner["rate"] = 2000
        resumed = await world.command("run", "--resume", str(run.run_id), "--json", "--by", "ann")
        assert (0, {"cancelled": 40}) == (resumed.code, resumed.json["states"]), resumed.err
        assert "run.policy_stricter" in {event["event"] for event in resumed.events}
    else:
        await replica.running.until(world.vendor, lambda: len(world.cancels) == 40)
        await until(lambda: world.sql("SELECT FROM retention.runs WHERE status = 'finished'"))
    assert 143 == (await replica.stopped(signal.SIGTERM)).code
    assert [] == await violations(world)


async def test_a_stricter_policy_halts_a_running_run(world: World) -> None:
    """A reload with a stricter policy halts the running run."""
    await world.seed(100, age=timedelta(hours=2))
    world.partner["rate"] = 10
    world.policy["open_longer_than"] = "1h"
    await schedule(world)
    replica = await serve(world)
    await replica.running.until(world.vendor, lambda: len(world.cancels) > 2)
    world.policy["max_rounds"] = 50
    world.configure()
    replica.running.signal(signal.SIGHUP)
    await until(lambda: world.sql("SELECT FROM retention.runs WHERE status = 'halted' AND NOT paused"))
    done = await replica.stopped(signal.SIGTERM)
    assert 143 == done.code
    reasons = {event["halt_reason"] for event in done.events if event["event"] == "run.halted"}
    assert {"stricter: max_rounds was 100000, is 50"} == reasons
    assert len(world.cancels) < 100
    assert [] == await violations(world)
