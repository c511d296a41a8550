"""`--processes`: several processes send, under one supervisor, with one log, one summary and one exit code."""

from __future__ import annotations

import asyncio
import signal
import time
from typing import TYPE_CHECKING

import psutil
import pytest
from support.invariants import violations
from support.postgres import crashing_server
from support.replica import finished, schedule, serve, until
from support.samples import figures
from support.terminal import on_terminal
from support.world import SECURE_LOGIN, TOKEN, World, make_world

from retention.simulator.faults import Faults
from retention.simulator.rounds import worst_second

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from support.world import Done, Running

FEW = {"concurrency": 4, "timeout": "5s", "max_attempts": 50}
"""So few requests in flight that one process leaves work to the others; leases end soon."""

SLOW_S, QUICK_S = 1.0, 0.01
"""Seconds of a reply, before and after all processes are at work."""

REVIEWED = {0, 4}
"""A reply that was lost for good is made up for by a question, which does not tell the refund: that is for review."""


async def at_work(world: World, process: Running, *, replicas: int = 2) -> list[psutil.Process]:
    """Wait until so many processes have cancelled; return the helpers. Replies are slow until then, so it is in time.

    A claim is no work: a process gives its first claims back where the slots of their requests have passed meanwhile.
    """
    while not await cancelling(world, replicas):
        assert not process.over, await process.ended()
        await asyncio.sleep(0.02)
    return psutil.Process(process.pid).children()


async def cancelling(world: World, replicas: int) -> bool:
    """Whether so many processes have settled a cancel."""
    settled = "SELECT DISTINCT replica FROM retention.attempts WHERE kind = 'cancel' AND replied_at IS NOT NULL"
    return len(await world.sql(settled)) >= replicas


async def shared(world: World, *words: str, rounds: int = 200) -> tuple[Running, list[psutil.Process]]:
    """Start a run of two processes, and wait until both are at work."""
    if rounds:
        await world.seed(rounds)
    world.partner |= FEW
    world.vendor.latency = SLOW_S
    process = await world.start(*(words or ("run", "nightly")), "--processes", "2", "--json")
    helpers = await at_work(world, process)
    assert 1 == len(helpers)
    return process, helpers


def named(done: Done, event: str) -> list[dict[str, Any]]:
    """The lines of the log with this event."""
    return [line for line in done.events if line["event"] == event]


async def resumed(world: World) -> Done:
    """Go on with the only run there is, with two processes."""
    world.vendor.latency = QUICK_S
    (run,) = await world.sql("SELECT run_id FROM retention.runs")
    return await world.command("run", "--resume", str(run.run_id), "--processes", "2", "--json")


async def test_processes_share_a_run_with_one_log_and_one_result(world: World) -> None:
    """Two processes send; there is one summary, one exit code, one metrics file, and whole lines that name both."""
    path = world.folder / "retention.prom"
    process, helpers = await shared(world, "run", "--metrics-file", str(path))
    told = [" ".join(helper.cmdline()) for helper in helpers]
    assert [] == [word for line in told for word in (TOKEN, SECURE_LOGIN, "secret-path") if word in line]
    world.vendor.latency = QUICK_S
    done = await process.ended()
    assert (0, {"cancelled": 200}) == (done.code, done.json["states"]), done.err[-2000:]
    assert len(done.events) == len(done.err.splitlines())
    assert {1, 2} == {event["process"] for event in done.events}
    assert {1, 2} == {event["process"] for event in named(done, "round.cancelled")}
    assert 200 == len(named(done, "round.cancelled")) == len(world.cancels)
    assert [1, 1, 1, 0] == [
        len(named(done, name)) for name in ("run.planned", "run.started", "run.finished", "run.left")
    ]
    (started,) = named(done, "process.started")
    shares = {row.replica for row in await world.sql("SELECT DISTINCT replica FROM retention.attempts")}
    assert started["replica"] in shares
    found = figures(path.read_text("utf-8"))
    labels = 'market="MT",outcome="cancelled",partner="acme",policy="nightly"'
    assert 200 == found[f"retention_rounds_total{{{labels}}}"]
    assert 300 == found['retention_refund_amount_total{currency="EUR",partner="acme"}']
    # A helper believes no answer from before it came, so a few rounds are asked about once more.
    requests = len(world.cancels) + len(world.vendor.asked("GetRoundStatus"))
    assert 400 <= requests == found['retention_request_seconds_count{partner="acme"}']
    assert [] == await violations(world)


async def test_a_helper_that_is_killed_in_the_drain_is_told(world: World) -> None:
    """A helper that dies while SIGTERM drains the run is named, with the run that its claims belong to."""
    process, (helper,) = await shared(world)
    process.signal(signal.SIGTERM)
    helper.kill()
    done = await process.ended()
    (lost,) = named(done, "process.lost")
    (run,) = await world.sql("SELECT run_id::text FROM retention.runs")
    assert (143, "it was killed by SIGKILL", [run.run_id], None) == (
        done.code,
        lost["problem"],
        lost["runs"],
        lost["again_s"],
    )


async def test_helpers_need_open_files(world: World) -> None:
    """Where the supervisor could not hold its helpers' files, the command says how many it needs, and sends nothing."""
    await world.seed(1)
    done = await world.command(
        "run", "nightly", "--yes", "--processes", "30", under=("/bin/sh", "-c", 'ulimit -n 60; exec "$0" "$@"')
    )
    assert (2, []) == (done.code, world.cancels)
    assert "only 60 files may be open at once; allow 119 or more with `ulimit -n`" in done.err


async def test_a_killed_helper_is_told_and_started_again(world: World) -> None:
    """A helper killed with -9 is named in the log, its claims become doubts, and another one takes its place."""
    process, (helper,) = await shared(world)
    (world.folder / "retention.toml").unlink()  # helpers get the configuration as the supervisor has read it
    helper.kill()
    await at_work(world, process, replicas=3)
    world.vendor.latency = QUICK_S
    done = await process.ended()
    assert {"cancelled": 200} == done.json["states"], done.err[-2000:]
    assert done.code in REVIEWED
    (lost,) = named(done, "process.lost")
    assert (2, "it was killed by SIGKILL", 1.0) == (lost["process"], lost["problem"], lost["again_s"])
    assert [done.json["run_id"]] == lost["runs"]
    assert 2 == len(named(done, "process.started"))
    assert [] == await violations(world)


@pytest.mark.long
async def test_a_helper_that_is_asked_to_end_drains(world: World) -> None:
    """SIGTERM to a helper alone leaves no doubt: it settles what is in flight, and another one takes its place."""
    process, (helper,) = await shared(world)
    helper.terminate()
    await at_work(world, process, replicas=3)
    world.vendor.latency = QUICK_S
    done = await process.ended()
    assert (0, {"cancelled": 200}) == (done.code, done.json["states"]), done.err[-2000:]
    assert ["it ended with 143"] == [lost["problem"] for lost in named(done, "process.lost")]
    assert [] == named(done, "round.in_doubt")
    assert [] == await violations(world)


async def test_no_helper_outlives_the_supervisor(world: World) -> None:
    """When the supervisor is killed with -9, its helper drains and ends; `--resume --processes 2` makes the run whole."""
    process, (helper,) = await shared(world)
    process.signal(signal.SIGKILL)
    killed = time.monotonic()
    assert -signal.SIGKILL == (await process.ended()).code
    psutil.wait_procs([helper], timeout=0)
    while helper.is_running() and helper.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() - killed < 20
        await asyncio.sleep(0.02)
    heard = len(world.vendor.requests)
    assert heard < 200
    done = await resumed(world)
    assert {"cancelled": 200} == done.json["states"], done.err[-2000:]
    assert done.code in REVIEWED
    assert [] == await violations(world)


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.long)])
async def test_a_signal_to_the_supervisor_drains_all(world: World, number: signal.Signals) -> None:
    """A signal to the supervisor drains all processes; it exits once, with the signal's code, and nothing is in doubt."""
    process, (helper,) = await shared(world)
    process.signal(number)
    done = await process.ended()
    assert 128 + number == done.code, done.err[-2000:]
    assert not helper.is_running()
    assert [] == named(done, "process.lost")
    left = await world.sql(
        "SELECT state FROM retention.cancellations WHERE state NOT IN ('cancelled', 'planned')"
        " UNION ALL SELECT uuid::text FROM retention.attempts WHERE sent_at IS NOT NULL AND replied_at IS NULL"
    )
    assert [] == left
    done = await resumed(world)
    assert (0, {"cancelled": 200}) == (done.code, done.json["states"]), done.err[-2000:]
    assert [] == await violations(world)


async def test_ctrl_c_on_a_terminal_drains_all(world: World) -> None:
    """Ctrl-C reaches all processes of the terminal; one display shows all their rounds, and the run exits once with 130."""
    await world.seed(200)
    world.partner |= FEW
    world.vendor.latency = SLOW_S
    terminal = await on_terminal(world, "run", "--yes", "--processes", "2")
    while not await cancelling(world, 2):
        await asyncio.sleep(0.02)
    world.vendor.latency = QUICK_S
    await terminal.until(lambda: "/200" in terminal.screen)
    await world.until_settled(40)
    terminal.type("\x03")
    code, out = await terminal.ended()
    assert 130 == code, terminal.screen
    assert "Traceback" not in terminal.screen + out
    assert "process.lost" not in terminal.screen
    assert [] == await world.sql("SELECT FROM retention.cancellations WHERE state IN ('claimed', 'in_doubt')")


@pytest.mark.long
async def test_a_second_signal_ends_all_without_waiting(world: World) -> None:
    """A second signal waits for no request in flight, in any process."""
    process, (helper,) = await shared(world)
    world.vendor.latency = 60
    world.partner["timeout"] = "2s"
    process.signal(signal.SIGTERM)
    process.signal(signal.SIGTERM)
    done = await process.ended()
    assert 143 == done.code, done.err[-2000:]
    assert not helper.is_running()


async def test_a_pause_halts_the_run_of_all_processes(world: World) -> None:
    """A pause stops each process, and the run ends once, with exit code 3."""
    process, _ = await shared(world)
    assert 0 == (await world.command("pause", "--by", "tess", "--reason", "odd refunds")).code
    done = await process.ended()
    assert (3, "halted") == (done.code, done.json["status"]), done.err[-2000:]
    assert 1 == len(named(done, "run.halted"))
    assert [] == named(done, "process.lost")
    assert 0 == (await world.command("resume", "--by", "tess")).code
    done = await resumed(world)
    assert (0, {"cancelled": 200}) == (done.code, done.json["states"]), done.err[-2000:]


@pytest.mark.long
async def test_a_rail_halts_the_run_of_all_processes(world: World) -> None:
    """Refused credentials halt the run once for all processes, with exit code 3."""
    process, _ = await shared(world)
    world.vendor.faults = Faults.of({"status": 401})
    done = await process.ended()
    assert (3, "halted") == (done.code, done.json["status"]), done.err[-2000:]
    assert 1 == len(named(done, "run.halted"))
    assert [] == named(done, "process.lost")


async def test_a_rail_before_the_first_call_starts_no_helper(world: World) -> None:
    """A run that a rail halts, a dry run, and a run with nothing to do start no helper, and end as with one process."""
    await world.seed(6)
    world.policy["max_rounds"] = 5
    halted = await world.command("run", "--processes", "2", "--json")
    dry = await world.command("run", "--processes", "2", "--dry-run", "--json")
    await world.sql("UPDATE public.rounds SET status = 1")
    nothing = await world.command("run", "--processes", "2", "--json")
    assert [3, 0, 0] == [done.code for done in (halted, dry, nothing)], nothing.err
    assert [[], [], []] == [named(done, "process.started") for done in (halted, dry, nothing)]
    assert [] == world.vendor.requests


async def test_processes_share_the_rate(world: World) -> None:
    """Two processes, each of which could use all of the rate, send no more than the rate in any second."""
    world.partner["rate"] = 40
    process, _ = await shared(world, rounds=150)
    world.vendor.latency = QUICK_S
    done = await process.ended()
    assert (0, {"cancelled": 150}) == (done.code, done.json["states"]), done.err[-2000:]
    assert {1, 2} == {event["process"] for event in named(done, "round.cancelled")}
    sent = await world.sql(
        "SELECT extract(epoch FROM sent_at)::float8 AS at FROM retention.attempts"
        " WHERE kind = 'cancel' AND sent_at IS NOT NULL"
    )
    # Seen from both ends of the wire: a stall of one end bunches its own times, and both ends see a burst.
    arrived = worst_second(request.arrived_at for request in world.cancels)
    assert min(arrived, worst_second(row.at for row in sent)) <= 42


@pytest.mark.long
async def test_processes_outlive_a_crash_of_the_database(tmp_path: Path) -> None:
    """PostgreSQL crashes and comes back: the same processes finish the run, with nothing lost."""
    async with crashing_server() as server, make_world(server.dsn, tmp_path) as world:
        process, _ = await shared(world)
        await server.crash()
        world.vendor.latency = QUICK_S
        done = await process.ended()
        assert {"cancelled": 200} == done.json["states"], done.err[-2000:]
        assert done.code in REVIEWED
        assert [] == await violations(world)


@pytest.mark.long
async def test_a_frozen_helper_is_replaced(world: World) -> None:
    """A helper whose loop stands still is killed and started again, so that the run can end."""
    process, (helper,) = await shared(world)
    helper.suspend()
    await at_work(world, process, replicas=3)
    world.vendor.latency = QUICK_S
    done = await process.ended()
    assert {"cancelled": 200} == done.json["states"], done.err[-2000:]
    assert (1, 1) == (len(named(done, "process.silent")), len(named(done, "process.lost")))
    assert [] == await violations(world)


WORDS = {
    "0": "0 is too small; write 1 or more",
    "-1": "-1 is too small; write 1 or more",
    "two": "'two' is no whole number; write one, in digits",
    "65": "65 is too large; write 64 or less",
}


@pytest.mark.parametrize("command", ["run", "serve"])
async def test_a_number_that_makes_no_sense_is_refused(world: World, command: str) -> None:
    """Zero, a negative number, a word and an absurd number are refused before any connection, and the mend is named."""
    world.dsn = "postgresql://nobody@127.0.0.1:1/nowhere"
    for word, problem in WORDS.items():
        done = await world.command(command, "--processes", word)
        assert 2 == done.code
        assert (
            f"error: Invalid value for '--processes': {problem}; `retention {command} --help` tells more\n" == done.err
        )


async def test_serve_has_helpers_while_it_sends(world: World) -> None:
    """The daemon's helpers share its scheduled run and its metrics, and are gone when the run is over."""
    await world.seed(200)
    world.partner |= FEW
    world.vendor.latency = SLOW_S
    await schedule(world)
    replica = await serve(world, "--processes", "2")
    (helper,) = await at_work(world, replica.running)
    world.vendor.latency = QUICK_S
    await until(lambda: finished(world))
    psutil.wait_procs([helper], timeout=10)
    assert [] == psutil.Process(replica.running.pid).children()
    labels = 'market="MT",outcome="cancelled",partner="acme",policy="nightly"'

    async def counted() -> bool:
        _, text = await replica.get("/metrics")
        return figures(text).get(f"retention_rounds_total{{{labels}}}") == 200

    await until(counted)
    assert (200, 200) == ((await replica.get("/healthz"))[0], (await replica.get("/readyz"))[0])
    done = await replica.stopped(signal.SIGTERM)
    assert 143 == done.code
    assert [1, 1, 1] == [len(named(done, name)) for name in ("run.started", "run.finished", "process.started")]
    assert [] == named(done, "process.lost")
    assert {1, 2} == {event["process"] for event in named(done, "round.cancelled")}
    assert [] == await violations(world)


@pytest.mark.long
async def test_serve_drains_its_helpers(world: World) -> None:
    """SIGTERM in the midst of a scheduled run drains daemon and helpers, and leaves nothing in doubt."""
    await world.seed(200)
    world.partner |= FEW
    world.vendor.latency = SLOW_S
    await schedule(world)
    replica = await serve(world, "--processes", "2")
    (helper,) = await at_work(world, replica.running)
    done = await replica.stopped(signal.SIGTERM)
    assert 143 == done.code, done.err[-2000:]
    assert not helper.is_running()
    assert [] == await world.sql("SELECT FROM retention.cancellations WHERE state IN ('claimed', 'in_doubt')")
    assert [] == named(done, "process.lost")


async def test_check_counts_the_connections_of_all_processes(world: World) -> None:
    """`check --processes N` names the connections of N processes, and warns where a limit leaves too few."""
    done = await world.command("check", "--processes", "64", "--json")
    (found,) = [one for one in done.json["checks"] if one["name"] == "connections"]
    assert (True, True) == (found["ok"], found["warning"])
    assert found["message"].startswith("of 64 processes, `run` up to 384, `serve` up to 640 connections; the server (")
