"""Processes that work on a run: a running `retention serve` with its HTTP answers, and helpers of a run."""

from __future__ import annotations

import asyncio
import random
import signal
import socket
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aiohttp

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from support.world import Done, Running, World


@dataclass(frozen=True, slots=True)
class Replica:
    """One process, and where it answers."""

    running: Running
    url: str

    async def get(self, path: str) -> tuple[int, str]:
        """Send it a request; status 0 without an answer."""
        try:
            async with aiohttp.ClientSession() as client, client.get(self.url + path) as reply:
                return reply.status, await reply.text()
        except aiohttp.ClientError:
            return 0, ""

    async def until(self, path: str, status: int) -> str:
        """Ask until the answer is this; returns its text."""
        while (answer := await self.get(path))[0] != status:
            assert not self.running.over, await self.running.ended()
            await asyncio.sleep(0.05)
        return answer[1]

    async def stopped(self, number: signal.Signals) -> Done:
        """Send a signal and wait for the end."""
        self.running.signal(number)
        return await self.running.ended()


async def serve(world: World, *words: str, environ: Mapping[str, str] | None = None, until: str = "/readyz") -> Replica:
    """Start a replica, and wait until it is ready, or until its answer is one of the others that count as 200."""
    port = free_port()
    running = await world.start("serve", "--http", f"127.0.0.1:{port}", *words, environ=environ)
    replica = Replica(running, f"http://127.0.0.1:{port}")
    await replica.until(until, 200)
    return replica


async def schedule(world: World, *, minutes_ago: int = 2, **policy: object) -> None:
    """Give the policy a schedule whose times are the last minutes, which no daemon was there to see.

    Its next time is in an hour, so that a test sees only these.
    """
    (row,) = await world.sql("SELECT extract(minute FROM now())::integer AS minute")
    minutes = ",".join(str((row.minute - ago) % 60) for ago in range(1, minutes_ago + 1))
    world.policy |= {"schedule": f"{minutes} * * * *", "timezone": "Europe/Malta", "catch_up": "6h", **policy}
    await world.sql(
        "INSERT INTO retention.schedules VALUES ('nightly', %(schedule)s, %(timezone)s,"
        " date_trunc('minute', now()) - make_interval(mins => %(minutes)s + 1))",
        schedule=world.policy["schedule"],
        timezone=world.policy["timezone"],
        minutes=minutes_ago,
    )


async def finished(world: World) -> bool:
    """Whether a run is finished, and none is unfinished. A run that only a person could resume fails the test."""
    rows = await world.sql("SELECT status, paused, halt_reason FROM retention.runs WHERE status <> 'cancelled'")
    assert [] == [
        row.halt_reason for row in rows if row.status == "failed" or (row.status == "halted" and not row.paused)
    ]
    return bool(rows) and {"finished"} == {row.status for row in rows}


async def helped(world: World, first: Running, helpers: int) -> list[Running]:
    """Start helpers of the only run, and wait until each has claimed.

    Meanwhile the processes that have claimed stand still: on a busy machine they could end the run before the last
    helper is there. The partner's timeout has to be longer than that.
    """
    (run,) = await world.sql("SELECT run_id FROM retention.runs")
    running = [first]
    for number in range(helpers):
        await freeze(world, running[-1])
        running.append(await world.start("run", "--resume", str(run.run_id), "--json"))
        while not await world.sql(
            "SELECT FROM retention.attempts HAVING count(DISTINCT replica) >= %(replicas)s", replicas=number + 2
        ):
            assert not running[-1].over, await running[-1].ended()
            await asyncio.sleep(0.02)
    for one in running[:-1]:
        one.signal(signal.SIGCONT)
    return running[1:]


async def freeze(world: World, process: Running) -> None:
    """Let a process stand still between two transactions, so that it holds no lock."""
    while True:
        process.signal(signal.SIGSTOP)
        if not await world.sql(
            "SELECT FROM pg_stat_activity WHERE datname = current_database() AND state <> 'idle'"
            " AND pid <> pg_backend_pid()"
        ):
            return
        process.signal(signal.SIGCONT)
        await asyncio.sleep(0.01)


async def last_departure(world: World) -> datetime:
    """When the last request left: its sender and the vendor both saw it, and a busy machine delays the one or the
    other.
    """
    sent = {
        row.uuid: row.sent_at
        for row in await world.sql("SELECT uuid::text, sent_at FROM retention.attempts WHERE sent_at IS NOT NULL")
    }
    departed: list[datetime] = [min(one.at, sent.get(one.uuid, one.at)) for one in world.vendor.requests]
    return max(departed)


async def until(condition: Callable[[], Any]) -> None:
    """Wait until an asynchronous condition holds."""
    while not await condition():
        await asyncio.sleep(0.05)


def free_port() -> int:
    """A free port of the loopback interface. It lies below those that the system gives away: while its server starts,
    no other socket gets it.
    """
    while True:
        with socket.socket() as listener, suppress(OSError):
            listener.bind(("127.0.0.1", random.randrange(10_000, 32_000)))
            return int(listener.getsockname()[1])
