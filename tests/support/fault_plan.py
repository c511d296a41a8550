"""Each kind of fault by its name, and the plan of a storm, which a seed decides."""

from __future__ import annotations

import asyncio
import random
import signal
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from retention.simulator.faults import Faults
from support.database_clock import SET
from support.proxy import BreakFraming, CorruptReplies, Cut, HalfOpen, ReplyLost, Slow, Way
from support.traffic import again

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
    from contextlib import AbstractAsyncContextManager

    from support.cluster import Cluster
    from support.fleet import Fleet, Post
    from support.proxy import Proxy, Trouble
    from support.traffic import Traffic
    from support.world import World


JUMPS = (45.0, -45.0, 3600.0, -3600.0, 5 * 86_400.0, -86_400.0)
"""Seconds by which the database's clock jumps: farther apart than any request is from its claim."""


@dataclass(slots=True)
class Scene:
    """Everything that can be struck."""

    world: World
    cluster: Cluster
    fleet: Fleet
    traffic: Traffic
    tables: list[dict[str, object]] = field(default_factory=list)
    """The vendor's own faults of this moment."""
    closing: list[dict[str, object]] = field(default_factory=list)
    """The SQLSTATE that the operator's function raises now: a `state`, for one round in `every`."""
    clock_off_by: float = 0.0
    """By how many seconds the database's clock is off at this moment."""

    async def stand(self) -> None:
        """Set the database's clock and function again: it may have lost them."""
        await again(lambda: self.world.sql(SET, seconds=self.clock_off_by))
        await again(lambda: self.world.sql("DELETE FROM public.closing_trouble"))
        for row in self.closing:
            await again(
                partial(self.world.sql, "INSERT INTO public.closing_trouble VALUES (%(state)s, %(every)s)", **row)
            )

    async def lose(self, seconds: float) -> None:
        """Lose the last so many seconds; the operator repeats its own part of them."""
        await self.cluster.fail_over(lagging=seconds)
        await self.stand()
        await self.traffic.repeat(self.cluster.losses[-1])


@dataclass(frozen=True, slots=True)
class Strike:
    """One fault: `at` seconds from the start, at the earliest, for so many `seconds`. `whom`: a replica; None: all."""

    at: float
    kind: str
    seconds: float
    whom: int | None
    seed: int

    def __str__(self) -> str:
        return f"{self.at:7.1f} s  {self.kind} for {self.seconds:.1f} s, {'all' if self.whom is None else self.whom}"

    def posts(self, scene: Scene) -> list[Post]:
        """The replicas that it strikes."""
        return scene.fleet.posts if self.whom is None else [scene.fleet.posts[self.whom]]

    def post(self, scene: Scene) -> Post:
        """The replica that it strikes, where that is one."""
        return scene.fleet.posts[self.whom or 0]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of fault. Those of one `lane` never overlap. `seconds`: how long it lasts, from and to."""

    lane: str
    seconds: tuple[float, float]
    act: Callable[[Scene, Strike], AbstractAsyncContextManager[None]]


def _network(end: Callable[[Post], Proxy], make: Callable[[random.Random], Trouble], *, all_: bool = False) -> Any:
    """A trouble on the way to one end: of one replica, or of all, as it comes or always."""

    @asynccontextmanager
    async def act(scene: Scene, strike: Strike) -> AsyncIterator[None]:
        chance = random.Random(strike.seed)
        async with AsyncExitStack() as stack:
            for post in scene.fleet.posts if all_ else strike.posts(scene):
                stack.enter_context(end(post).trouble(make(chance)))
            await asyncio.sleep(strike.seconds)
            yield

    return act


def _database(post: Post) -> Proxy:
    return post.database


def _vendor(post: Post) -> Proxy:
    return post.vendor


def _half_open(chance: random.Random) -> Trouble:
    return HalfOpen(*chance.choice([(Way.UP,), (Way.DOWN,), (Way.UP, Way.DOWN)]))


def _some(share: float, chance: random.Random) -> Trouble:
    return ReplyLost(lambda _: chance.random() < share)


def _says(*tables: Mapping[str, object]) -> Any:
    """The vendor's own faults, each striking the share that its table says."""

    @contextmanager
    def told(scene: Scene) -> Iterator[None]:
        ours = [dict(table) for table in tables]
        scene.tables += ours
        scene.world.vendor.faults = Faults.of(*scene.tables)
        try:
            yield
        finally:
            scene.tables[:] = [table for table in scene.tables if not any(table is one for one in ours)]
            scene.world.vendor.faults = Faults.of(*scene.tables)

    @asynccontextmanager
    async def act(scene: Scene, strike: Strike) -> AsyncIterator[None]:
        with told(scene):
            await asyncio.sleep(strike.seconds)
            yield

    return act


@asynccontextmanager
async def _accepts_late(scene: Scene, strike: Strike) -> AsyncIterator[None]:
    scene.world.vendor.accept_delay = 1.5
    try:
        await asyncio.sleep(strike.seconds)
        yield
    finally:
        scene.world.vendor.accept_delay = 0.0


@asynccontextmanager
async def _kill(scene: Scene, strike: Strike) -> AsyncIterator[None]:
    strike.post(scene).signal(signal.SIGKILL)
    yield


@asynccontextmanager
async def _terminate(scene: Scene, strike: Strike) -> AsyncIterator[None]:
    strike.post(scene).signal(signal.SIGTERM)
    yield


@asynccontextmanager
async def _stop(scene: Scene, strike: Strike) -> AsyncIterator[None]:
    post = strike.post(scene)
    post.signal(signal.SIGSTOP)
    try:
        await asyncio.sleep(strike.seconds)
        yield
    finally:
        post.signal(signal.SIGCONT)


@asynccontextmanager
async def _clock(scene: Scene, strike: Strike) -> AsyncIterator[None]:
    """A clock that is set wrong while nothing runs: it shows in the next process, until there is another one."""
    post = strike.post(scene)
    post.clock_off_by = random.Random(strike.seed).choice([-3600.0, -30.0, 30.0, 3600.0])
    post.signal(signal.SIGTERM)
    try:
        await asyncio.sleep(strike.seconds)
        yield
    finally:
        post.clock_off_by = 0.0
        post.signal(signal.SIGTERM)


@asynccontextmanager
async def _crash(scene: Scene, _strike: Strike) -> AsyncIterator[None]:
    await scene.cluster.crash()
    yield


@asynccontextmanager
async def _fail_over(scene: Scene, _strike: Strike) -> AsyncIterator[None]:
    await scene.cluster.fail_over()
    yield


def _loses(least: float, most: float) -> Any:
    """A standby takes over that lacks so many of the last seconds."""

    @asynccontextmanager
    async def act(scene: Scene, strike: Strike) -> AsyncIterator[None]:
        await scene.lose(random.Random(strike.seed).uniform(least, most))
        yield

    return act


@asynccontextmanager
async def _database_clock(scene: Scene, strike: Strike) -> AsyncIterator[None]:
    """The database's clock jumps, and jumps back."""
    scene.clock_off_by = random.Random(strike.seed).choice(JUMPS)
    await scene.stand()
    try:
        await asyncio.sleep(strike.seconds)
        yield
    finally:
        scene.clock_off_by = 0.0
        await scene.stand()


@asynccontextmanager
async def _full_disk(scene: Scene, strike: Strike) -> AsyncIterator[None]:
    async with scene.cluster.full_disk():
        await asyncio.sleep(strike.seconds)
        yield


@asynccontextmanager
async def _connections(scene: Scene, strike: Strike) -> AsyncIterator[None]:
    async with scene.cluster.connections_taken(by_role=random.Random(strike.seed).random() < 0.5):
        await asyncio.sleep(strike.seconds)
        yield


def _traffic(act: Callable[[Traffic, float], Awaitable[None]], every: float) -> Any:
    @asynccontextmanager
    async def acting(scene: Scene, strike: Strike) -> AsyncIterator[None]:
        until = asyncio.get_running_loop().time() + strike.seconds
        while (left := until - asyncio.get_running_loop().time()) > 0:
            await act(scene.traffic, left)
            await asyncio.sleep(every)
        yield

    return acting


def _closing(*states: str, every: int) -> Any:
    """The operator's function raises one of these for one round in so many."""

    @asynccontextmanager
    async def act(scene: Scene, strike: Strike) -> AsyncIterator[None]:
        scene.closing = [{"state": random.Random(strike.seed).choice(states), "every": every}]
        await scene.stand()
        try:
            await asyncio.sleep(strike.seconds)
            yield
        finally:
            scene.closing = []
            await scene.stand()

    return act


@asynccontextmanager
async def _table_locked(scene: Scene, strike: Strike) -> AsyncIterator[None]:
    async with scene.world.locked("public.rounds"):
        await asyncio.sleep(strike.seconds)
        yield


@asynccontextmanager
async def _paused(scene: Scene, strike: Strike) -> AsyncIterator[None]:
    # A pause whose answer was lost stands already.
    await command(scene.world, "pause", "--by", "ann", "--reason", "the vendor asked us to", codes=(0, 2))
    try:
        await asyncio.sleep(strike.seconds)
        yield
    finally:
        await resume(scene.world)


async def resume(world: World) -> None:
    """End a pause, if there is one."""
    await command(world, "resume", "--by", "ann", codes=(0, 2))


async def command(world: World, *words: str, codes: tuple[int, ...] = (0,)) -> Any:
    """Run a command, as often as the database's absence makes necessary; returns its result."""
    while (done := await world.command(*words)).code not in codes:
        assert done.code == 5, done
    return done


KINDS: dict[str, Kind] = {
    "kill": Kind("replicas", (0, 0), _kill),
    "terminate": Kind("replicas", (0, 0), _terminate),
    "stop": Kind("replicas", (8, 14), _stop),
    "clock": Kind("replicas", (15, 30), _clock),
    "crash": Kind("database", (0, 0), _crash),
    "fail-over": Kind("database", (0, 0), _fail_over),
    "fail-over-lagging": Kind("database", (0, 0), _loses(0.1, 1.0)),
    "copy-restored": Kind("database", (0, 0), _loses(3.0, 8.0)),
    "full-disk": Kind("database", (3, 8), _full_disk),
    "connections": Kind("database", (4, 12), _connections),
    "db-clock": Kind("clock of the database", (2, 12), _database_clock),
    "db-cut": Kind("way to the database", (0.1, 5), _network(_database, lambda _: Cut())),
    "db-half-open": Kind("way to the database", (3, 20), _network(_database, _half_open)),
    "db-silent": Kind("way to the database", (30, 60), _network(_database, lambda _: HalfOpen(), all_=True)),
    "db-slow": Kind("way to the database", (5, 15), _network(_database, lambda _: Slow(0.2))),
    "db-corrupt": Kind("way to the database", (4, 10), _network(_database, lambda c: BreakFraming(c, 0.1))),
    "db-reply-lost": Kind("way to the database", (5, 15), _network(_database, partial(_some, 0.1))),
    "vendor-cut": Kind("way to the vendor", (0.1, 5), _network(_vendor, lambda _: Cut())),
    "vendor-half-open": Kind("way to the vendor", (3, 10), _network(_vendor, _half_open)),
    "vendor-slow": Kind("way to the vendor", (5, 15), _network(_vendor, lambda _: Slow(0.3))),
    "vendor-corrupt": Kind("way to the vendor", (5, 15), _network(_vendor, lambda c: CorruptReplies(c, 0.3))),
    "vendor-reply-lost": Kind("way to the vendor", (5, 15), _network(_vendor, partial(_some, 0.3))),
    "vendor-cuts-after": Kind("vendor", (5, 15), _says({"call": "any", "share": 0.3, "cut": "after"})),
    "vendor-hangs-after": Kind("vendor", (5, 15), _says({"call": "any", "share": 0.2, "hang": "after"})),
    "vendor-5xx-after": Kind("vendor", (5, 15), _says({"call": "any", "share": 0.3, "status": 502, "effect": True})),
    "vendor-429": Kind("vendor", (3, 8), _says({"share": 0.1, "status": 429, "headers": {"Retry-After": "2"}})),
    "vendor-delays": Kind("vendor", (5, 15), _says({"call": "any", "share": 0.5, "delay": "500ms", "jitter": "2s"})),
    "vendor-stalls": Kind("vendor", (5, 15), _says({"call": "any", "share": 0.02, "stall": "2s"})),
    "vendor-accepts-late": Kind("vendor", (5, 15), _accepts_late),
    "vendor-not-answering": Kind("vendor", (3, 8), _says({"call": "GetRoundStatus", "share": 0.3, "status": 500})),
    "vendor-other-round": Kind("vendor", (5, 15), _says({"call": "any", "share": 0.1, "other_round": True})),
    "rounds-held": Kind("operator", (4, 10), _traffic(lambda t, _: t.hold(), 0.2)),
    "rounds-reopened": Kind("operator", (4, 10), _traffic(lambda t, _: t.reopen(), 0.2)),
    "rows-locked": Kind("operator", (2, 6), _traffic(lambda t, left: t.lock_rows(left), 0.1)),
    "players-back": Kind("operator", (4, 10), _traffic(lambda t, _: t.come_back(), 0.2)),
    "rounds-completed": Kind("operator", (4, 10), _traffic(lambda t, _: t.complete(), 0.1)),
    "rows-poisoned": Kind("operator", (4, 10), _traffic(lambda t, _: t.poison(), 0.2)),
    "rows-doubled": Kind("operator", (4, 10), _traffic(lambda t, _: t.double(), 0.2)),
    "vacuum": Kind("operator", (1, 3), _traffic(lambda t, _: t.vacuum(), 0.5)),
    "table-locked": Kind("operator", (2, 6), _table_locked),
    "closing-refused": Kind("closing", (5, 15), _closing("55000", "08006", "57P01", "53100", "P0001", every=20)),
    "closing-busy": Kind("closing", (3, 8), _closing("55P03", "40001", "57014", every=1)),
    "paused": Kind("kill switch", (3, 8), _paused),
}
"""Every kind of fault, by its name."""


_REST = {"kill switch": (30, 90), "clock of the database": (30, 90)}
"""Seconds between two faults of a lane, from and to: with the others, about two are on at a time."""


def plan(seed: int, seconds: float, kinds: list[str], *, replicas: int = 3) -> list[Strike]:
    """Decide each fault's time, length and target; the same seed and kinds give the same storm."""
    strikes = []
    for lane in dict.fromkeys(KINDS[kind].lane for kind in kinds):
        chance = random.Random(f"{seed} {lane}")
        ours = [kind for kind in kinds if KINDS[kind].lane == lane]
        at, turn = chance.uniform(2, 12), list[str]()
        while at < seconds:
            if not turn:  # each of them once, before any of them again
                turn = chance.sample(ours, len(ours))
            kind = turn.pop()
            lasts = chance.uniform(*KINDS[kind].seconds)
            whom = chance.choice([*range(replicas)] if lane == "replicas" else [None, *range(replicas)])
            strikes.append(Strike(at, kind, lasts, whom, chance.randrange(2**32)))
            at += lasts + chance.uniform(*_REST.get(lane, (5, 30)))
    return sorted(strikes, key=lambda strike: strike.at)
