"""`serve` and approvals: it starts an approved run once, whatever its trigger, and ends an expired request."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest
from support.invariants import violations
from support.job_login import as_job
from support.replica import schedule, serve, until

if TYPE_CHECKING:
    from support.world import World


@pytest.fixture
async def guarded(world: World) -> World:
    """Return a world whose commands log in as the job, and whose policy requires approval."""
    as_job(world)
    world.policy["requires_approval"] = True
    await world.seed(40)
    return world


async def _status(world: World) -> list[str]:
    return [row.status for row in await world.sql("SELECT status FROM retention.runs ORDER BY as_of")]


async def test_replicas_start_an_approved_scheduled_run_once(guarded: World) -> None:
    """A scheduled run waits, and calls nobody; once it is approved, two replicas send it together, each round once."""
    await schedule(guarded, minutes_ago=1)
    replicas = [await serve(guarded), await serve(guarded)]

    async def waits() -> bool:
        return await _status(guarded) == ["awaiting_approval"]

    await until(waits)
    (run,) = await guarded.sql("SELECT run_id FROM retention.runs")
    assert [] == guarded.vendor.requests
    approved = await guarded.command("approve", str(run.run_id), "--by", "bob")
    assert 0 == approved.code, approved.err

    async def finished() -> bool:
        return await _status(guarded) == ["finished"]

    await until(finished)
    logs = [await replica.stopped(signal.SIGTERM) for replica in replicas]
    assert 1 == [event["event"] for done in logs for event in done.events].count("run.started")
    assert {"cancelled"} == {*(await guarded.states()).values()}
    assert [] == await violations(guarded)


async def test_an_approved_run_of_a_person_is_made_whole_after_a_kill(guarded: World) -> None:
    """`serve` starts a person's run once it is approved. Killed in the midst of it, the next `serve` ends it."""
    guarded.partner |= {"rate": 20, "timeout": "1s"}
    done = await guarded.command("run", "--by", "ann", "--json")
    assert 6 == done.code, done.err
    first = await serve(guarded)
    assert 0 == (await guarded.command("approve", done.json["run_id"], "--by", "bob")).code
    await first.running.until(guarded.vendor, lambda: len(guarded.cancels) > 5)
    await first.stopped(signal.SIGKILL)
    guarded.partner["rate"] = 2000
    second = await serve(guarded)

    async def finished() -> bool:
        return await _status(guarded) == ["finished"]

    await until(finished)
    await second.stopped(signal.SIGTERM)
    assert 40 == len(await guarded.states())
    assert [] == await violations(guarded)


async def test_a_run_killed_before_its_start_keeps_its_approval(guarded: World) -> None:
    """A process that is killed between the approval and the start changes nothing: `--resume` sends the run."""
    done = await guarded.command("run", "--by", "ann", "--json")
    assert 0 == (await guarded.command("approve", done.json["run_id"], "--by", "bob")).code
    async with guarded.locked("retention.runs", "EXCLUSIVE"):
        process = await guarded.start("run", "--resume", done.json["run_id"])
        await guarded.until_waiting()
        process.signal(signal.SIGKILL)
        await process.ended()
    assert [] == guarded.vendor.requests
    resumed = await guarded.command("run", "--resume", done.json["run_id"], "--json")
    assert (0, {"cancelled": 40}) == (resumed.code, resumed.json["states"]), resumed.err
    assert [] == await violations(guarded)


@pytest.mark.long
async def test_serve_ends_an_expired_request(guarded: World) -> None:
    """A request that nobody approved in time is cancelled by `serve`, with the reason, and the vendor hears nothing."""
    guarded.policy["approval_expires"] = "1s"
    done = await guarded.command("run", "--by", "ann", "--json")
    assert 6 == done.code, done.err
    replica = await serve(guarded)

    async def cancelled() -> bool:
        return await _status(guarded) == ["cancelled"]

    await until(cancelled)
    await replica.stopped(signal.SIGTERM)
    (run,) = await guarded.sql("SELECT halt_reason FROM retention.runs")
    assert "approval expired" in run.halt_reason
    assert {"not_sent"} == {*(await guarded.states()).values()}
    assert [] == guarded.vendor.requests
