"""Three replicas work on run after run while everything around them fails, one fault after another and several at once.

`python tests/chaos/storm.py [--seed N] [--minutes M] [--faults name,name] [--plan]`. The seed decides the faults and
their times. At the end all faults are mended, the replicas finish the work, and vendor, ledger and operator have to
agree.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
import time
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[1]))

import psycopg
from psycopg.conninfo import make_conninfo
from support.cluster import JOB, cluster
from support.database_clock import CLOCK, TRUE
from support.fault_plan import JUMPS, KINDS, Scene, command, plan, resume
from support.fleet import dsn_through, fleet
from support.invariants import violations
from support.losses import Lost, orphans
from support.proxy import Proxy
from support.replica import until
from support.results_table import Evidence, table
from support.traffic import Traffic
from support.true_times import WITNESS
from support.world import make_world

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from support.fault_plan import Strike
    from support.world import World

AFTER = timedelta(seconds=15)
"""For how long after a fault events are put down to it."""

UNKIND = Path(__file__).parents[1] / "support" / "unkind_operator.sql"
"""The SQL that lets faults strike the operator's objects."""

REPLICAS = 3


def say(words: str) -> None:
    """Tell of the progress."""
    sys.stderr.write(f"{datetime.now(UTC):%H:%M:%S}  {words}\n")
    sys.stderr.flush()


@dataclass(slots=True)
class Storm:
    """A storm over a scene. `spans`: when each kind of fault was on, in UTC."""

    scene: Scene
    spans: dict[str, list[tuple[datetime, datetime]]] = field(default_factory=dict)
    found: list[str] = field(default_factory=list)
    """The broken invariants; a good storm has no entry."""
    reviewed: set[str] = field(default_factory=set)
    """Rounds that the review list names in the end."""

    @property
    def world(self) -> World:
        """The rounds and runs of the storm."""
        return self.scene.world

    @property
    def left(self) -> Mapping[str, datetime]:
        """When rounds were not to be called any more: a moment after COMMIT, in UTC, by round id."""
        return {**self.scene.traffic.left, **self.scene.traffic.returned}

    @property
    def lost(self) -> Lost:
        """The commits that the database has lost."""
        losses = self.scene.cluster.losses
        lone = {uuid for post in self.scene.fleet.posts for uuid in orphans(post.tap.seen, post.lives, losses)}
        return Lost(losses, frozenset(lone), self.scene.traffic.lapses)

    async def rage(self, strikes: Sequence[Strike], seconds: float, *, first: int, rounds: int = 80) -> None:
        """Let all of them strike within so many `seconds`, while players open `rounds` each two of them, `first`
        beforehand.
        """
        await self.scene.traffic.open_rounds(first)
        self.scene.fleet.start()
        await asyncio.gather(*(post.until_ready() for post in self.scene.fleet.posts))
        opening = asyncio.create_task(self.scene.traffic.keep_opening(rounds, 2.0))
        began = asyncio.get_running_loop().time()

        def lane(strike: Strike) -> str:
            return KINDS[strike.kind].lane

        lanes = groupby(sorted(strikes, key=lambda strike: (lane(strike), strike.at)), lane)
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(seconds))
            for _, ours in lanes:
                group.create_task(self._lane([*ours], began, seconds))
        opening.cancel()
        with suppress(asyncio.CancelledError):
            await opening

    async def _lane(self, strikes: Sequence[Strike], began: float, seconds: float) -> None:
        now, end = asyncio.get_running_loop().time, began + seconds
        for strike in strikes:
            if began + strike.at > end:
                return
            await asyncio.sleep(began + strike.at - now())
            await self._strike(strike)
            # A long fault delays all later ones: the rests are part of the plan.
            began = max(began, now() - strike.at - strike.seconds)

    async def _strike(self, strike: Strike) -> None:
        say(f"{strike.kind} begins, for {strike.seconds:.1f} s, {'all' if strike.whom is None else strike.whom}")
        start = datetime.now(UTC)
        while True:  # the database may be away, which it then cannot be made to be
            try:
                async with KINDS[strike.kind].act(self.scene, strike):
                    pass
            except psycopg.OperationalError:
                await asyncio.sleep(0.5)
            else:
                break
        self.spans.setdefault(strike.kind, []).append((start, datetime.now(UTC)))
        say(f"{strike.kind} ends; {len(self.world.vendor.requests)} requests so far")

    async def settle(self) -> None:
        """Finish the work, stop all processes, and check every invariant."""
        say("all is mended; what is left is being done")
        await self.scene.stand()
        await resume(self.world)
        await asyncio.gather(*(post.until_ready() for post in self.scene.fleet.posts))
        await until(self._nothing_going)
        # A partner that a run gave up, or a doubt that it left, falls to the next one.
        for _ in range(5):
            await command(self.world, "run", "nightly", "--by", "ann", codes=(0, 4))
            await until(self._nothing_going)
            listed = await command(self.world, "review", "list", "--json")
            self.reviewed = {row["round_id"] for row in listed.json}
            if not await self._live() and not await self._forgotten():
                break
        await self.scene.fleet.close()
        self.found += await violations(
            self.world, left=self.left, lost=self.lost, shifts=[timedelta(seconds=shift) for shift in (0.0, *JUMPS)]
        )
        self.found += [*await self._live(), *await self._forgotten()]
        self.found += [words for post in self.scene.fleet.posts for words in post.wrong]

    async def _live(self) -> list[str]:
        """The rounds that something is still to be done about.

        A halted run keeps as planned what it has not sent, until a later run plans the round again: a round that has
        come back or is held is planned no more.
        """
        rows = await self.world.sql(
            "SELECT c.round_id, c.state FROM retention.cancellations c JOIN retention.runs r ON r.run_id = c.run_id"
            " WHERE c.state IN ('claimed', 'retrying', 'in_doubt') OR (c.state = 'planned' AND r.status <> 'halted')"
        )
        return [f"round {row.round_id} is {row.state} in the end" for row in rows if row.round_id not in self.reviewed]

    async def _nothing_going(self) -> bool:
        return not await self.world.sql("SELECT FROM retention.runs WHERE status IN ('planned', 'running') OR paused")

    async def _forgotten(self) -> list[str]:
        """The stale rounds that are neither cancelled nor anybody's concern."""
        rows = await self.world.sql("SELECT round_id FROM public.rounds WHERE status = 0")
        known = self.reviewed | self.scene.traffic.returned.keys()
        return [f"round {row.round_id} is still open, and nobody is told" for row in rows if row.round_id not in known]

    async def evidence(self) -> str:
        """The result, as a table."""
        settled = [
            row.at
            for row in await self.world.sql(
                "SELECT s.at FROM retention.cancellations c JOIN fake.settled s ON s.id = c.id WHERE c.attempts > 0"
            )
        ]
        asked = [request.at for request in self.world.vendor.requests]
        rows = [
            Evidence(kind, len(spans), _within(settled, spans), _within(asked, spans))
            for kind, spans in sorted(self.spans.items())
        ]
        tried = sum(row.tried for row in rows)
        whole = Evidence("**the whole storm**", tried, len(settled), len(asked), len(self.reviewed), self.found)
        return table(rows, whole)


def _within(moments: Sequence[datetime], spans: Sequence[tuple[datetime, datetime]]) -> int:
    return sum(any(start <= moment <= end + AFTER for start, end in spans) for moment in moments)


@asynccontextmanager
async def storm(folder: Path, *, rate: int, seed: int = 0) -> AsyncIterator[Storm]:
    """Yield a calm scene: an empty cluster, a healthy vendor, and three empty posts.

    A run is due at once, and then each minute. `rate`: cancel requests per second.
    """
    async with Proxy(None) as calm:  # for clients outside the storm: the operator, and the checks

        def moved(database: str | None) -> None:
            calm.upstream = database
            for post in posts:
                post.database.upstream = database

        posts = []
        async with (
            cluster(moved) as servers,
            make_world(
                dsn_through(calm, JOB), folder, make_conninfo(dsn_through(calm, "postgres"), options=TRUE)
            ) as world,
            fleet(world, REPLICAS, calm.upstream) as replicas,
        ):
            posts = replicas.posts
            world.vendor.latency = 0.05
            # A time that a clock hours ahead has set is taken back where it lies beyond the longest pause.
            world.partner |= {"rate": rate, "timeout": "2s", "max_pause": "1m", "rate_group": "lm"}
            world.extra = f"[rate_groups.lm]\nrate = {2 * rate}\n"
            # A player who came back is away for longer than any storm lasts before his round is stale again.
            world.policy |= {"idle_longer_than": "24h", "max_failure_ratio": 1.0}
            world.policy |= {"schedule": "* * * * *", "timezone": "Europe/Malta", "catch_up": "6h"}
            await servers.primary.sql(UNKIND.read_text("utf-8"))
            await servers.primary.sql(CLOCK + WITNESS)
            world.policy["max_conflicts"] = 1_000_000  # a halted run would wait for a person
            await world.sql(
                "INSERT INTO retention.schedules"
                " VALUES ('nightly', '* * * * *', 'Europe/Malta', date_trunc('minute', now()) - interval '1 minute')"
            )
            yield Storm(Scene(world, servers, replicas, Traffic(world, random.Random(seed))))


async def main() -> int:
    """Make a storm and print its result; 1 where an invariant was broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--faults", default=",".join(KINDS), help="some of: " + ", ".join(KINDS))
    parser.add_argument("--no-ask-first", action="store_true", help="cancel without asking first")
    parser.add_argument("--logs", type=Path, help="a folder that keeps the logs of all processes")
    parser.add_argument("--plan", action="store_true", help="only print what would strike when")
    asked = parser.parse_args()
    kinds = asked.faults.split(",")
    if unknown := [kind for kind in kinds if kind not in KINDS]:
        parser.error(f"no such faults: {', '.join(unknown)}; there are {', '.join(KINDS)}")
    strikes = plan(asked.seed, asked.minutes * 60, kinds, replicas=REPLICAS)
    if asked.plan:
        sys.stdout.writelines(f"{strike}\n" for strike in strikes)
        return 0
    if asked.logs:
        asked.logs.mkdir(parents=True, exist_ok=True)  # a post that cannot write a log would start no other process
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        async with storm(Path(folder), rate=60, seed=asked.seed) as raging:
            raging.world.partner["ask_first"] = not asked.no_ask_first
            for post in raging.scene.fleet.posts:
                post.logs = asked.logs
            await raging.rage(strikes, asked.minutes * 60, first=2000)
            await raging.settle()
            ended = [post.ended for post in raging.scene.fleet.posts]
            say(f"after {time.monotonic() - began:.0f} s; the replicas' processes ended with {ended}")
            for words in raging.found:
                say(words)
            sys.stdout.write(await raging.evidence() + "\n")
            return 1 if raging.found else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
