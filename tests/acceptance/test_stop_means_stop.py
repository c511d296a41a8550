"""Stop means stop: at most a second after a pause, a hold, a closing or a signal no cancel leaves, however slow all
is.
"""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

import psycopg
import pytest
from support.invariants import violations
from support.tls import localhost_tls
from support.world import SECURE_LOGIN, TOKEN

from retention.simulator.faults import Faults
from retention.simulator.server import Simulator

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from support.world import Running, World


async def pause(world: World, _: Running) -> None:
    """Throw the kill switch."""
    assert 0 == (await world.command("pause", "--by", "tess", "--reason", "odd refunds")).code


async def terminate(_: World, process: Running) -> None:
    """Send SIGTERM."""
    process.signal(signal.SIGTERM)


async def call_off(world: World, _: Running) -> None:
    """Close the run."""
    (run,) = await world.sql("SELECT run_id FROM retention.runs")
    closed = await world.command("runs", "close", str(run.run_id), "--by", "tess", "--note", "the wrong age")
    assert 0 == closed.code, closed.err


async def hold(world: World, _: Running) -> None:
    """Put the whole market on hold."""
    assert 0 == (await world.command("hold", "add", "--market", "MT", "--reason", "an order", "--by", "tess")).code


async def close(world: World, _: Running) -> None:
    """All players complete their rounds."""
    await world.sql("UPDATE public.rounds SET status = 1 WHERE status = 0")


async def come_back(world: World, _: Running) -> None:
    """All players are active."""
    await world.sql("UPDATE public.rounds SET last_activity_at = now()")


async def reopen(world: World, _: Running) -> None:
    """All rounds are others by now."""
    await world.sql("UPDATE public.rounds SET opened_at = now() WHERE status = 0")


STOPS = {
    "pause": (pause, {3}),
    "SIGTERM": (terminate, {143}),
    "runs close": (call_off, {4}),
    "hold": (hold, {0}),
    "closing": (close, {0, 4}),  # a request on its way at that moment cannot be stopped
    "return": (come_back, {0}),
    "reopening": (reopen, {0}),
}


async def now(world: World) -> datetime:
    """The database's time."""
    (row,) = await world.sql("SELECT clock_timestamp() AS at")
    at: datetime = row.at
    return at


@pytest.mark.parametrize(
    ("name", "asks_first"),
    [
        *[(name, True) for name in ("pause", "hold")],
        ("pause", False),
        *[pytest.param(name, True, marks=pytest.mark.long) for name in STOPS if name not in {"pause", "hold"}],
        *[pytest.param(name, False, marks=pytest.mark.long) for name in STOPS if name != "pause"],
    ],
)
async def test_a_slow_vendor_is_not_called_after_it(world: World, name: str, asks_first: bool) -> None:
    """With a rate far above a slow vendor's, no request leaves on a check that is more than a second old."""
    await world.seed(300)
    world.partner |= {"rate": 200, "concurrency": 8, "timeout": "4s", "ask_first": asks_first}
    world.policy["max_conflicts"] = 8  # each request on its way when the operator closes the rounds may become one
    world.vendor.latency, world.vendor.effect_at_arrival = 1.0, True
    process = await world.start("run", "nightly", "--json")
    await process.until(world.vendor, lambda: len(world.cancels) > 10)
    stop, codes = STOPS[name]
    await stop(world, process)
    stopped = await now(world)
    done = await process.ended()
    assert done.code in codes, done.err[-2000:]
    assert 10 < len(world.cancels) < 300
    assert [] == await violations(world, stopped=stopped)
    rows = await world.sql(
        "SELECT count(*) AS lost FROM retention.attempts WHERE starts_with(detail, 'the process that')"
    )
    assert 0 == rows[0].lost


@pytest.mark.parametrize("name", ["pause", pytest.param("SIGTERM", marks=pytest.mark.long)])
async def test_no_request_leaves_after_a_slow_handshake(world: World, tmp_path: Path, name: str) -> None:
    """A connection that is made after everything was stopped carries no cancel request."""
    context, authority = localhost_tls(tmp_path)
    async with Simulator(secure_login=SECURE_LOGIN, token=TOKEN, tls=context, handshake_delay=1.2) as vendor:
        world.vendor = vendor
        await world.seed(200)
        world.partner |= {"rate": 20, "timeout": "8s"}
        process = await world.start("run", "nightly", "--json", environ={"SSL_CERT_FILE": str(authority)})
        await process.until(vendor, lambda: len(vendor.requests) > 0)
        vendor.latency = 30.0  # so that more connections are wanted
        await asyncio.sleep(1.0)
        stop, codes = STOPS[name]
        await stop(world, process)
        stopped = await now(world)
        vendor.latency = 0.0
        done = await process.ended()
        assert done.code in codes, done.err[-2000:]
        assert [] == await violations(world, stopped=stopped)


async def test_doubts_cost_the_fresh_rounds_no_reply(world: World) -> None:
    """Questions about old doubts and new cancels share the places, and no wait of ours counts as the vendor's
    silence.
    """
    await world.seed(8)
    world.partner |= {"rate": 50, "concurrency": 3, "timeout": "60s", "max_attempts": 1, "ask_first": False}
    world.vendor.faults = Faults.of({"cut": "before"}, {"call": "GetRoundStatus", "status": 500})
    first = await world.command("run", "--json")
    assert {"in_doubt": 8} == first.json["states"]
    world.vendor.faults = Faults()
    await world.seed(8, prefix="s")
    world.vendor.latency = 1.0
    world.partner["max_attempts"] = 5
    done = await world.command("run", "--json")
    assert (0, {"cancelled": 8}, {"cancelled": 8}) == (done.code, done.json["states"], done.json["taken_up"]), done.err
    rows = await world.sql("SELECT count(*) AS silent FROM retention.attempts WHERE detail = 'no reply in time'")
    assert 0 == rows[0].silent
    assert world.vendor.peak_in_flight <= 3


async def test_a_claim_that_waited_for_a_lock_obeys_a_new_hold(world: World) -> None:
    """A hold that is committed while a claim waits for the partner's row is obeyed by that claim."""
    await world.seed(60)
    world.partner |= {"rate": 20}
    process = await world.start("run", "nightly", "--json")
    await process.until(world.vendor, lambda: len(world.cancels) > 5)
    async with await psycopg.AsyncConnection.connect(world.direct) as connection:
        await connection.execute("SELECT FROM retention.partner_state FOR UPDATE")
        await world.until_waiting()
        await asyncio.sleep(1.0)
        await hold(world, process)
        stopped = await now(world)
    done = await process.ended()
    assert (0, {"cancelled", "held"}) == (done.code, set(done.json["states"])), done.err
    assert [] == await violations(world, stopped=stopped)
