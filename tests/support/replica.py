"""A running `retention serve`, and its HTTP answers."""

from __future__ import annotations

import asyncio
import random
import socket
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aiohttp

if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Mapping

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
    """Whether a run is finished, and none is unfinished."""
    rows = await world.sql("SELECT status FROM retention.runs WHERE status <> 'cancelled'")
    return bool(rows) and {"finished"} == {row.status for row in rows}


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
