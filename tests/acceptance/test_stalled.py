"""A stalled or interrupted run does not look like success: it is named, notified and ended."""

from __future__ import annotations

import asyncio
import json
import signal
from typing import TYPE_CHECKING, Any

from support.invariants import violations
from support.replica import serve, until

from retention.simulator.faults import Faults

if TYPE_CHECKING:
    from support.world import Done, Running, World

FOREVER = {"status": 429, "headers": {"Retry-After": "1"}}


async def stalled(world: World) -> list[Any]:
    """Return the events of runs without progress."""
    return await world.sql("SELECT run_id, policy, status FROM retention.runs WHERE stalled_at IS NOT NULL")


async def stuck(world: World, rounds: int = 3, *, after: str = "1s") -> tuple[Running, str]:
    """Start a run whose vendor always answers 429; return it with its id, once it has stalled."""
    await world.seed(rounds)
    world.policy["stalled_after"] = after
    world.vendor.faults = Faults.of(FOREVER)
    running = await world.start("run", "--json", "--metrics-file", str(world.folder / "stuck.prom"))
    while not (found := await stalled(world)):
        assert not running.over
        await asyncio.sleep(0.05)
    return running, str(found[0].run_id)


def lines_of(done: Done, event: str) -> list[dict[str, Any]]:
    """Return the lines of one event."""
    return [line for line in done.events if line["event"] == event]


async def test_a_run_behind_a_stalled_one_names_it_and_exits_4(world: World) -> None:
    """While a run makes no progress, a later one names it and its rounds and exits with 4.

    `plan` and `runs list` name it too.
    """
    first, run_id = await stuck(world)
    later, plan, listed, text = await asyncio.gather(
        world.command("run", "--json"),
        world.command("plan", "--json"),
        world.command("runs", "list", "--json"),
        world.command("run"),
    )
    assert (4, "finished", 0) == (later.code, later.json["status"], later.json["rounds"]), later.err
    for document in (later.json, plan.json):
        (other,) = document["elsewhere"]
        assert (run_id, "nightly", True, True, 3) == tuple(
            other[key] for key in ("run_id", "policy", "at_work", "stalled", "rounds")
        )
    assert f"3 stale rounds are in the hands of run {run_id} of policy nightly" in text.out
    assert "it has made no progress since 20" in text.out
    rows = {row["run_id"]: row for row in listed.json}
    assert (True, True) == (rows[run_id]["at_work"], rows[run_id]["stalled"])
    assert run_id in {line["other_run_id"] for line in lines_of(later, "run.rounds_elsewhere")}
    world.vendor.faults = Faults()
    done = await first.ended()
    assert (0, {"cancelled": 3}) == (done.code, done.json["states"]), done.err
    assert ["run.stalled"] == [line["event"] for line in lines_of(done, "run.stalled")]
    assert [] == await violations(world)


async def test_people_are_told_while_the_run_still_stands(world: World) -> None:
    """A one-shot run that stalls notifies people by itself, once; progress ends that."""
    world.extra = (
        '[notify.ops]\nwebhook = "http://127.0.0.1:9/"\nsigning_key = "whsec_dGFrZSBhbm90aGVyIHRoYW4gdGhpcyBvbmU="\n'
    )
    first, run_id = await stuck(world)
    while not (told := await world.sql("SELECT event, run_id, body FROM retention.notifications")):
        await asyncio.sleep(0.05)
    assert [("run.stalled", run_id)] == [(one.event, str(one.run_id)) for one in told]
    assert "makes no progress: 3 rounds are still to be done" in json.loads(told[0].body)["text"]
    file = world.folder / "stuck.prom"
    assert 'retention_run_stalled{policy="nightly"} 1.0' in file.read_text()
    world.vendor.faults = Faults()
    done = await first.ended()
    assert 0 == done.code, done.err
    assert 1 == len(await world.sql("SELECT FROM retention.notifications"))
    listed = await world.command("runs", "list", "--json")
    assert [("finished", False)] == [(row["status"], row["stalled"]) for row in listed.json]


async def test_a_run_behind_a_progressing_one_exits_0(world: World) -> None:
    """Rounds of another run with progress are named too, but need no person."""
    await world.seed(40)
    world.partner["rate"] = 10
    first = await world.start("run", "--json")
    await first.until(world.vendor, lambda: len(world.cancels) > 1)
    later = await world.command("run", "--json")
    assert (0, 0) == (later.code, later.json["rounds"]), later.err
    (other,) = later.json["elsewhere"]
    assert (True, False) == (other["at_work"], other["stalled"])
    assert 0 < other["rounds"] < 40
    await first.gone()


async def test_a_killed_run_is_interrupted_and_then_ended(world: World) -> None:
    """After `kill -9` a run is `interrupted` in the list, its successor names its claims, and its row is ended."""
    await world.seed(30)
    world.partner |= {"rate": 20, "timeout": "1s"}
    first = await world.start("run", "--json")
    await first.until(world.vendor, lambda: len(world.cancels) > 2)
    first.signal(signal.SIGKILL)
    await first.ended()
    (run,) = await world.sql("SELECT run_id FROM retention.runs")
    while await world.sql("SELECT FROM retention.runs WHERE heartbeat_until > now()"):
        await asyncio.sleep(0.1)
    listed = await world.command("runs", "list", "--json")
    assert [False] == [row["at_work"] for row in listed.json]
    world.partner |= {"rate": 2000, "timeout": "10s"}
    later = await world.command("run", "--json")
    claimed = await world.sql(
        "SELECT FROM retention.cancellations WHERE state = 'claimed' AND run_id = %(run_id)s", run_id=run.run_id
    )
    assert bool(claimed) == bool(later.json["elsewhere"])
    while await world.sql("SELECT FROM retention.cancellations WHERE lease_until > now()"):
        await asyncio.sleep(0.1)
    last = await world.command("run", "--json")
    assert 0 == last.code, last.err
    (ended,) = await world.sql(
        "SELECT status, halt_reason, finished_at IS NOT NULL AS over FROM retention.runs WHERE run_id = %(run_id)s",
        run_id=run.run_id,
    )
    assert ("failed", "interrupted: no process has worked on it any more", True) == tuple(ended)
    assert {"cancelled"} == {*(await world.states()).values()}
    assert [] == await violations(world)


async def test_a_daemon_ends_an_interrupted_run(world: World) -> None:
    """A daemon ends a killed on-demand run as failed after `stalled_after`; another run plans its rounds."""
    await world.seed(30)
    world.policy["stalled_after"] = "2s"
    world.partner |= {"rate": 20, "timeout": "1s"}
    first = await world.start("run", "--json")
    await first.until(world.vendor, lambda: len(world.cancels) > 2)
    first.signal(signal.SIGKILL)
    await first.ended()
    daemon = await serve(world)
    interrupted = "SELECT FROM retention.runs WHERE status = 'failed' AND halt_reason LIKE 'interrupted: %%'"
    await until(lambda: world.sql(interrupted))
    done = await daemon.stopped(signal.SIGTERM)
    assert "run.interrupted" in {line["event"] for line in done.events}
    world.partner["rate"] = 2000
    resumed = await world.command("run", "--json")
    assert resumed.code in {0, 4}, resumed.err
    assert [] == await violations(world)
