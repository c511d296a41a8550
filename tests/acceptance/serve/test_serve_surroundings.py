"""The surroundings of a daemon: probes, systemd, configuration, partners, notifications and its log."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from support.postgres import crashing_server
from support.receiver import KEY, Receiver
from support.replica import free_port, schedule, serve, until
from support.world import World, make_world

from retention.simulator.faults import Faults
from retention.simulator.server import Simulator

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


async def test_a_daemon_without_database_is_alive_and_not_ready(tmp_path: Path) -> None:
    """Without its database, or with another version's schema, a daemon is alive and not ready; it recovers by
    itself.
    """
    async with crashing_server() as server, make_world(server.dsn, tmp_path) as world:
        replica = await serve(world)
        assert (200, "ok\n") == await replica.get("/healthz")
        await world.sql("UPDATE retention.schema_migrations SET number = 9999 WHERE number = 1")
        assert "the schema has migration 9999, which this version does not know; install a newer one\n" == (
            await replica.until("/readyz", 503)
        )
        await world.sql("UPDATE retention.schema_migrations SET number = 1 WHERE number = 9999")
        await replica.until("/readyz", 200)
        server.stop()
        assert "the database cannot be reached\n" == await replica.until("/readyz", 503)
        assert (200, "ok\n") == await replica.get("/healthz")
        assert 404 == (await replica.get("/"))[0]
        assert 143 == (await replica.stopped(signal.SIGTERM)).code


async def test_systemd_gets_ready_watchdog_reload_and_stop(world: World) -> None:
    """Under Type=notify with a watchdog, the daemon reports READY, WATCHDOG, RELOADING and STOPPING in time."""
    path = world.folder / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(path))
        listener.setblocking(False)
        heard: list[str] = []

        async def heard_of(state: str) -> None:
            while state not in heard:
                heard.extend((await asyncio.get_running_loop().sock_recv(listener, 4096)).decode().split("\n"))

        replica = await serve(world, environ={"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "400000"})
        for state in ("READY=1", "WATCHDOG=1"):
            await heard_of(state)
        heard.clear()
        replica.running.signal(signal.SIGHUP)
        for state in ("RELOADING=1", "READY=1"):
            await heard_of(state)
        replica.running.signal(signal.SIGTERM)
        await heard_of("STOPPING=1")
        assert 143 == (await replica.running.ended()).code


async def test_a_reload_applies_a_good_file_and_refuses_a_bad_one(world: World) -> None:
    """SIGHUP with a broken file, or with another database, logs an error and keeps the old configuration; a good file
    is in force at once.
    """
    replica = await serve(world)
    (world.folder / "retention.toml").write_text("[policies.nightly]\nmax_rounds = 'many'\n", "utf-8")
    replica.running.signal(signal.SIGHUP)
    await asyncio.sleep(0.3)  # a refusal is visible in the log alone, which is read at the end
    assert (200, "ok\n") == await replica.get("/healthz")
    world.extra = (
        '[policies.weekly]\nopen_longer_than = "72h"\nmax_rounds = 5\nschedule = "@weekly"\ntimezone = "UTC"\n'
    )
    world.configure()
    replica.running.signal(signal.SIGHUP)
    await until(lambda: world.sql("SELECT FROM retention.schedules WHERE name = 'weekly'"))
    dsn, world.dsn = world.dsn, "postgresql://127.0.0.1:1/none"
    world.configure()
    replica.running.signal(signal.SIGHUP)
    await asyncio.sleep(0.3)  # as above
    world.dsn = dsn
    done = await replica.stopped(signal.SIGTERM)
    first, second = [event["problem"] for event in done.events if event["event"] == "configuration.refused"]
    assert (
        "retention.toml: policies.nightly.max_rounds: must be a whole number from 1 to 1000000000; write max_rounds = 5000"
        in first
    )
    assert "database.dsn: cannot change while `serve` runs; restart it instead" == second
    assert [["nightly", "weekly"]] == [
        event["policies"] for event in done.events if event["event"] == "configuration.reloaded"
    ]


@asynccontextmanager
async def refusing_partner(world: World, rounds: int) -> AsyncIterator[Simulator]:
    """A second partner, whose vendor refuses our credentials, with that many stale rounds."""
    async with Simulator(secure_login="beta", token="beta-token") as other:
        other.faults = Faults.of({"call": "any", "status": 401})
        world.extra = (
            f'[partners.beta]\nsecure_login = "beta"\ntoken = "beta-token"\napi_url = "{other.url}"\nrate = 2\n'
        )
        await world.seed(rounds, prefix="b", partner="beta", at_vendor=False)
        yield other


async def test_a_joining_replica_does_not_call_an_unauthorized_partner(world: World) -> None:
    """A partner that refused our credentials is not called again in that run by any replica that joins later."""
    async with refusing_partner(world, 9) as other:
        world.partner["rate"] = 30
        await world.seed(900)
        await schedule(world)
        first = await serve(world)
        await until(lambda: world.sql("SELECT FROM retention.runs WHERE halted_partners = '{beta}'"))
        second = await serve(world)
        await until(lambda: world.sql("SELECT FROM retention.attempts HAVING count(DISTINCT replica) = 2"))
        heard = len(world.cancels) + 60
        await second.running.until(world.vendor, lambda: len(world.cancels) > heard)
        for replica in (first, second):
            await replica.stopped(signal.SIGTERM)
        assert 1 == len(other.requests)


@pytest.mark.long
async def test_a_pause_does_not_forgive_a_refusal(world: World) -> None:
    """A run that is resumed after a pause still does not call the partner that refused our credentials before."""
    async with refusing_partner(world, 5) as other:
        world.partner["rate"] = 40  # there has to be work left when the pause comes
        await world.seed(300)
        await schedule(world)
        replica = await serve(world)
        await until(lambda: world.sql("SELECT FROM retention.runs WHERE halted_partners = '{beta}'"))
        await world.command("pause", "--partner", "acme", "--by", "tess", "--reason", "odd refunds")
        await until(lambda: world.sql("SELECT FROM retention.runs WHERE paused"))
        await world.command("resume", "--partner", "acme", "--by", "tess")
        await until(lambda: world.sql("SELECT FROM retention.runs WHERE status = 'halted' AND NOT paused"))
        await replica.stopped(signal.SIGTERM)
        assert 1 == len(other.requests)
        assert 300 == len(world.cancels)


@pytest.mark.long
async def test_a_replica_without_a_way_to_the_vendor_leaves_the_run_to_the_others(world: World) -> None:
    """If only one replica cannot reach the vendor, the run neither fails nor gives up rounds."""
    world.partner |= {"rate": 60, "max_attempts": 2}
    await world.seed(500)
    await schedule(world)
    able = await serve(world)
    await able.running.until(world.vendor, lambda: len(world.cancels) > 10)
    wrong = f"http://127.0.0.1:{free_port()}"
    unable = await serve(world, environ={"RETENTION_PARTNERS__ACME__API_URL": wrong})
    await until(lambda: world.sql("SELECT FROM retention.runs WHERE status IN ('finished', 'failed')"))
    ends = [await replica.stopped(signal.SIGTERM) for replica in (able, unable)]
    assert "partner.unreachable" in {event["event"] for event in ends[1].events}
    told = [event["event"] for done in ends for event in done.events if "exit_code" in event]
    assert ["run.finished"] == [event for event in told if event != "run.left"]
    assert "run.given_up" not in {event["event"] for done in ends for event in done.events}
    assert [("finished",)] == await world.sql("SELECT status FROM retention.runs WHERE status <> 'cancelled'")
    # The unable replica may have used up the attempts of the one round that it tried twice.
    assert 499 <= [*(await world.states()).values()].count("cancelled")
    assert [("cancelled",)] == await world.sql(
        "SELECT DISTINCT state FROM retention.cancellations WHERE state <> 'not_sent' OR attempts < 2"
    )


async def test_missed_times_and_reviews_are_notified_once(world: World) -> None:
    """Missed times and a run to review reach the webhook once each, although its first answer is 500."""
    await world.seed(5)
    world.vendor.faults = Faults.of({"round_ids": ["r1"], "code": "1", "description": "no"})
    async with Receiver(500) as receiver:
        world.extra = f'[notify.ops]\nwebhook = "http://{receiver.address}/hook"\nsigning_key = "{KEY}"\n'
        await schedule(world, catch_up="1s", minutes_ago=30)
        replica = await serve(world)
        await until(lambda: world.sql("SELECT FROM retention.deliveries WHERE delivered_at IS NOT NULL"))
        await world.command("run", "--yes", "--metrics-file", "x")
        await until(lambda: world.sql("SELECT FROM retention.deliveries HAVING count(delivered_at) = 2"))
        done = await replica.stopped(signal.SIGTERM)
    told = [(request.json["event"], request.headers["webhook-id"]) for request in receiver.requests]
    assert ["schedule.missed", "schedule.missed", "run.review"] == [event for event, _ in told]
    assert 2 == len({message for _, message in told})
    assert {"count": 30} == {key: value for key, value in receiver.requests[0].json["missed"].items() if key == "count"}
    assert receiver.address not in done.err


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("--http", "8901"), "--http '8901': no address; write HOST:PORT, such as 127.0.0.1:8901 or [::1]:8901"),
        (("--http", "127.0.0.1:99999"), "--http '127.0.0.1:99999': no address; write HOST:PORT"),
        (("--drain-timeout", "25"), "--drain-timeout '25': '25' is no duration; write whole numbers with s, m, h or d"),
    ],
)
async def test_a_bad_option_is_refused(world: World, words: tuple[str, ...], problem: str) -> None:
    """A bad option ends with exit code 2 and one line that says how to write it."""
    done = await world.command("serve", *words)
    assert (2, f"error: {problem}") == (done.code, done.err[: len(problem) + 7])


async def test_a_daemon_that_cannot_start_says_why(world: World) -> None:
    """A taken address, a missing schema and an unreachable database end the start with 2, 2 and 5."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = await world.command("serve", "--http", address)
    assert (2, f"error: --http {address}: ") == (done.code, done.err.splitlines()[-1][: len(address) + 16])
    assert done.err.endswith("; choose another address\n")
    await world.sql("DROP SCHEMA retention CASCADE")
    done = await world.command("serve", "--http", f"127.0.0.1:{free_port()}")
    assert (2, "error: there is no schema `retention`; run `retention db migrate`\n") == (done.code, done.err)
    world.dsn = "postgresql://127.0.0.1:1/none"
    done = await world.command("serve")
    assert (5, "error: the database cannot be reached: ") == (done.code, done.err[:39])


@pytest.mark.long
async def test_a_closed_log_pipe_stops_no_run(world: World) -> None:
    """The daemon works and drains after the reader of its log is gone."""
    await world.seed(60)
    world.partner["rate"] = 30
    await schedule(world)
    read, write = os.pipe()
    words = ("-m", "retention", "--config", str(world.configure()), "serve", "--http", "127.0.0.1:0")
    process = await asyncio.create_subprocess_exec(
        sys.executable, *words, cwd=world.folder, stdout=asyncio.subprocess.DEVNULL, stderr=write
    )
    os.close(write)
    try:
        await world.vendor.until(lambda: len(world.cancels) > 5)
        os.close(read)
        await until(lambda: world.sql("SELECT FROM retention.runs WHERE status = 'finished'"))
    finally:
        process.terminate()
    assert 143 == await process.wait()
    assert ["cancelled"] * 60 == [*(await world.states()).values()]
