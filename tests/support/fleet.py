"""Replicas that are looked after: each has ways of its own to the database and the vendor, and is started again."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from psycopg.conninfo import make_conninfo

from support.cluster import JOB
from support.losses import Tap
from support.proxy import Address, Proxy
from support.replica import Replica, free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from support.world import Done, World

AGAIN = 0.5
"""Seconds until a supervisor restarts a process."""

NO_DATABASE = 5

_CLOCK = Path(__file__).with_name("clock")


def dsn_through(proxy: Proxy, user: str) -> str:
    """How to reach the cluster that a proxy leads to."""
    return make_conninfo(
        host="127.0.0.1", port=proxy.port, user=user, dbname="postgres", sslmode="disable", gssencmode="disable"
    )


def clock_off_by(seconds: float) -> dict[str, str]:
    """An environment in which a Python process's calendar clock is off by so many seconds."""
    path = os.pathsep.join([str(_CLOCK), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {"PYTHONPATH": path, "CLOCK_OFF_BY": str(seconds)}


@dataclass(slots=True)
class Post:
    """One replica's place. `ended` counts its processes' exits by code; `wrong`: exits that may not happen.

    `lives`: from when until when each process was there, in UTC; `tap`: its requests to the vendor; `logs`: the log of
    each process, None for nowhere.
    """

    world: World
    database: Proxy
    vendor: Proxy
    number: int
    tap: Tap
    ended: dict[int, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    lives: list[tuple[datetime, datetime]] = field(default_factory=list)
    clock_off_by: float = 0.0
    logs: Path | None = None
    replica: Replica | None = None
    _asked: set[int] = field(default_factory=set)
    _closing: asyncio.Event = field(default_factory=asyncio.Event)

    async def keep_up(self) -> None:
        """Start it, and again whenever it ends, until `close`."""
        while not self._closing.is_set():
            port = free_port()
            self._asked = set()
            began = datetime.now(UTC)
            running = await self.world.start(
                "serve", "--http", f"127.0.0.1:{port}", "--drain-timeout", "10s", environ=self._environ()
            )
            self.replica = Replica(running, f"http://127.0.0.1:{port}")
            done = await asyncio.shield(running.ended())  # it is the world's to end, if need be
            self.lives.append((began, datetime.now(UTC)))
            self.world.started.remove(running)
            self._judge(done)
            await asyncio.sleep(0 if self._closing.is_set() else AGAIN)

    def _judge(self, done: Done) -> None:
        self.ended[done.code] = self.ended.get(done.code, 0) + 1
        if self.logs is not None:
            (self.logs / f"{self.number}-{len(self.lives)}.log").write_text(done.err, "utf-8")
        fitting = self._asked | (set() if self._closing.is_set() else {NO_DATABASE})
        if "serve.started" not in done.err:  # before it listens for signals, they end it as they end any process
            fitting.add(-signal.SIGTERM)
        if done.code not in fitting or "\nTraceback" in done.err:
            self.wrong.append(f"replica {self.number} ended with {done.code}: {done.err[-1500:]}")
        for event in done.events:
            if "exception" in event:
                self.wrong.append(f"replica {self.number} logged {event | {'exception': event['exception'][-1500:]}}")

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, if there is a process to get it."""
        if self.replica is not None and not self.replica.running.over:
            self._asked |= {signal.SIGKILL: {-9}, signal.SIGTERM: {143}}.get(number, set())
            with suppress(ProcessLookupError):
                self.replica.running.signal(number)

    async def until_ready(self) -> None:
        """Wait until it is ready, whichever process that is."""
        while self.replica is None or (await self.replica.get("/readyz"))[0] != 200:
            await asyncio.sleep(0.05)

    def close(self) -> None:
        """Have it drain and leave, for good."""
        self._closing.set()
        self.signal(signal.SIGTERM)

    def _environ(self) -> dict[str, str]:
        environ = {
            "RETENTION_DATABASE__DSN": dsn_through(self.database, JOB),
            "RETENTION_PARTNERS__ACME__API_URL": f"http://127.0.0.1:{self.vendor.port}/secret-path",
        }
        return environ | (clock_off_by(self.clock_off_by) if self.clock_off_by else {})


class Fleet:
    """So many posts, looked after together."""

    def __init__(self, posts: list[Post]) -> None:
        self.posts = posts
        self._keeping: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Have them all kept up."""
        self._keeping = [asyncio.create_task(post.keep_up()) for post in self.posts]

    async def close(self) -> None:
        """Have them all drain and leave."""
        for post in self.posts:
            post.close()
        await asyncio.gather(*self._keeping)

    def abandon(self) -> None:
        """Look after them no more."""
        for task in self._keeping:
            task.cancel()


@asynccontextmanager
async def fleet(world: World, size: int, database: Address | None) -> AsyncIterator[Fleet]:
    """Yield so many empty posts; the world ends the processes."""
    vendor = (world.vendor.host, world.vendor.port)
    async with AsyncExitStack() as stack:
        posts = [
            Post(
                world,
                await stack.enter_async_context(Proxy(database, postgres=True)),
                await stack.enter_async_context(Proxy(vendor)),
                number,
                Tap(),
            )
            for number in range(size)
        ]
        for post in posts:
            stack.enter_context(post.vendor.trouble(post.tap))
        made = Fleet(posts)
        stack.callback(made.abandon)
        yield made
