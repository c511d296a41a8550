"""One trial of a proof: a command is struck at one of its calls, continued, and judged by the end state."""

from __future__ import annotations

import asyncio
import signal
import tempfile
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
from psycopg.conninfo import make_conninfo

from retention.simulator.faults import Faults
from support import strace
from support.invariants import violations
from support.postgres import new_database
from support.replica import finished, schedule, serve
from support.scenarios import ATTEMPTS, TIMEOUT
from support.world import World, make_world

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from support.scenarios import Injection, Scenario
    from support.world import Done, Running


@dataclass(frozen=True, slots=True)
class Place:
    """Where worlds are made: on this server, with copies of that database."""

    server: str
    template: str

    @asynccontextmanager
    async def world(self) -> AsyncIterator[World]:
        """Yield a world of its own."""
        database = new_database(self.server, self.template)
        name = await asyncio.to_thread(database.__enter__)  # the vendors of the other worlds do not wait for it
        try:
            with tempfile.TemporaryDirectory() as folder:
                async with make_world(make_conninfo(self.server, dbname=name), Path(folder)) as world:
                    yield world
        finally:
            await asyncio.to_thread(database.__exit__, None, None, None)


@dataclass(frozen=True, slots=True)
class Left:
    """The state after a struck command: runs and rounds by their states in the ledger, and the vendor's requests."""

    runs: list[str]
    states: dict[str, str]
    heard: list[str]


@dataclass(frozen=True, slots=True)
class Struck:
    """A command that was struck at `call`, or ended before that call, and the faults of its end."""

    scenario: Scenario
    words: Sequence[str]
    call: strace.Call | None
    done: Done
    left: Left
    wrong: list[str]


@dataclass(frozen=True, slots=True)
class Trial:
    """The end state. `requests` reached the vendor, `reviewed` rounds are listed for review.

    `last` is the exit of the command that finished the work, which may be the struck one.
    """

    struck: Struck
    last: Done
    requests: int
    reviewed: int
    violations: list[str]


async def profile(world: World, scenario: Scenario) -> list[strace.Call]:
    """Do the scenario once, untouched; returns its calls."""
    log = world.folder / "calls"
    words = await _prepare(world, scenario)
    done = await _until_over(world, scenario, words, strace.watching(log))
    assert done.code in scenario.ends | ({3} if scenario.halts else set()), done.err
    return strace.seen(log)


async def try_out(world: World, scenario: Scenario, injection: Injection, point: strace.Point) -> Trial:
    """Run the scenario, strike at that point, finish the work, and judge."""
    return await finish(world, await strike(world, scenario, injection, point))


async def strike(world: World, scenario: Scenario, injection: Injection, point: strace.Point) -> Struck:
    """Do the scenario, struck at that point."""
    log = world.folder / "calls"
    words = await _prepare(world, scenario)
    under = strace.striking(log, point, injection.blow)
    done = await _until_over(world, scenario, words, under, cuts=injection.cuts)
    call = strace.struck(log, point)
    wrong = _wrong_end(scenario, injection if call else None, done)
    return Struck(scenario, words, call, done, await _left(world), wrong)


async def finish(world: World, struck: Struck) -> Trial:
    """Finish the work that a struck command left, and judge."""
    last, wrong = struck.done, [*struck.wrong]
    for _ in range(3):
        if last.code in struck.scenario.ends:
            break
        last = await _go_on(world, struck.scenario, struck.words)
    if last.code not in struck.scenario.ends:
        wrong.append(f"it never came to its end: exit code {last.code}: {last.err[-2000:]}")
    unmade, reviewed = await _judge(world, last)
    return Trial(struck, last, len(world.vendor.requests), reviewed, wrong + unmade)


async def _prepare(world: World, scenario: Scenario) -> Sequence[str]:
    """See to it that the scenario can begin; returns the words of its command."""
    await world.seed(scenario.rounds)
    world.partner |= {"timeout": f"{TIMEOUT:g}s", "max_attempts": ATTEMPTS, "rate": 200, "concurrency": 2}
    world.partner["codes"] = dict(scenario.codes)
    world.vendor.faults = Faults.of(*scenario.faults)
    if scenario.daemon:
        await schedule(world)
    if scenario.approved:
        world.policy["requires_approval"] = True
        assert (await world.command(*scenario.words, "--by", "ann")).code == 6  # it waits
        words = await _resuming(world, scenario.words)
        assert (await world.command("approve", words[-1], "--by", "bob")).code == 0
        return words
    if not scenario.stopped:
        return scenario.words
    world.vendor.latency = 0.2
    running = await world.start(*scenario.words)
    await running.until(world.vendor, lambda: len(world.vendor.requests) > 1)
    running.signal(signal.SIGKILL)
    await running.ended()
    world.vendor.latency = 0
    while await world.sql("SELECT FROM retention.cancellations WHERE lease_until > now()"):
        await asyncio.sleep(0.1)
    return await _resuming(world, scenario.words)


async def _resuming(world: World, words: Sequence[str]) -> Sequence[str]:
    """The words that go on with the run, or begin it again where none was recorded."""
    rows = await world.sql("SELECT run_id FROM retention.runs")
    assert len(rows) < 2, rows
    return ("run", "--resume", str(rows[0].run_id)) if rows else words


async def _until_over(
    world: World, scenario: Scenario, words: Sequence[str], under: Sequence[str], *, cuts: bool = False
) -> Done:
    """Run the command under strace to its end; a daemon gets its SIGTERM once its run is finished."""
    running = await world.start(*words, under=under)
    if cuts:
        await _cut(world, running)
    while scenario.daemon and not running.over:
        if await finished(world):
            with suppress(psutil.NoSuchProcess):  # it may have been struck just now
                for child in psutil.Process(running.pid).children():  # strace does not pass signals on
                    child.send_signal(signal.SIGTERM)
            break
        await asyncio.sleep(0.1)
    return await running.ended()


async def _cut(world: World, running: Running) -> None:
    """Wait until the command is held at its call, and end its connections with the database and the vendor."""
    seen = 0
    while seen < 5:  # looks in a row: any call that is traced stops it for a moment
        if running.over:
            return
        with suppress(psutil.NoSuchProcess):
            states = [child.status() for child in psutil.Process(running.pid).children()]
            seen = seen + 1 if psutil.STATUS_TRACING_STOP in states else 0
        await asyncio.sleep(0.02)
    await world.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    await world.vendor.down()
    await world.vendor.up()


async def _go_on(world: World, scenario: Scenario, words: Sequence[str]) -> Done:
    if not scenario.daemon:
        return await world.command(*await _resuming(world, words))
    replica = await serve(world)
    while not await finished(world):
        assert not replica.running.over, await replica.running.ended()
        await asyncio.sleep(0.1)
    return await replica.stopped(signal.SIGTERM)


async def _left(world: World) -> Left:
    return Left(
        [row.status for row in await world.sql("SELECT status FROM retention.runs")],
        await world.states(),
        [request.round_id for request in world.vendor.requests],
    )


def _wrong_end(scenario: Scenario, injection: Injection | None, done: Done) -> list[str]:
    """Name each fault in the struck command's exit: the contract knows no other codes."""
    if injection is not None and injection.name == "kill":
        right = {-signal.SIGKILL}
    else:
        right = scenario.ends | ({5} if injection else set()) | ({3} if scenario.halts else set())
    return [] if done.code in right else [f"it ended with exit code {done.code}: {done.err[-3000:]}"]


async def _judge(world: World, last: Done) -> tuple[list[str], int]:
    """Every broken invariant, and how many rounds the review lists."""
    found = await violations(world)
    listed: set[str] = set()
    if last.code:
        review = await world.command("review", "list", "--json")
        listed = {row["round_id"] for row in review.json}
        if last.code == 4 and not listed:  # the code says that something needs a person
            found.append("exit code 4, and nothing is listed for review")
    found += [
        f"round {name} was cancelled {truth.cancelled_times} times, and no person is told"
        for (_, name), truth in world.vendor.rounds.items()
        if truth.cancelled_times != 1 and name not in listed
    ]
    return found, len(listed)
