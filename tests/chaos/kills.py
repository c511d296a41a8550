"""Struck at every call: `python tests/chaos/kills.py`.

A small run is killed at its 1st, 2nd, 3rd ... connect, send and receive, its connections are cut there, the call fails,
or the process is frozen: each time in a new world, which is then gone on with and judged. Each broken promise is told
as it is found, with what reproduces it; what all came to is a table. The exit code is 1 if any promise was broken.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import random
import sys
import tempfile
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[1]))

from psycopg.conninfo import make_conninfo
from support import strace
from support.evidence import Evidence, table
from support.postgres import new_database, running_server, template_database
from support.trial import INJECTIONS, SCENARIOS, Injection, Scenario, Trial, profile, try_out
from support.world import World, make_world

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

WITHIN = 180.0
"""Seconds that a trial may take."""

MISSES = 3
"""Times that a command has to end by itself, without having come to its n-th call, until no higher n is tried."""

EARLIER = 3
"""How many numbers before the first call on a socket a series begins: runs differ by a few."""

UNJUDGED = 60.0
"""Seconds between two lines about how far it is."""


@dataclass(slots=True)
class Series:
    """One kind of call of one scenario, struck at one number after the other."""

    scenario: Scenario
    injection: Injection
    call: str
    numbers: Iterable[int]
    misses: int = 0

    @property
    def over(self) -> bool:
        """Whether the command ends before it comes to what would be next."""
        return self.misses >= MISSES


@dataclass(frozen=True, slots=True)
class Place:
    """Where worlds are made."""

    server: str
    template: str

    @asynccontextmanager
    async def world(self) -> AsyncIterator[World]:
        """Yield a world of its own."""
        with tempfile.TemporaryDirectory() as folder, new_database(self.server, self.template) as name:
            async with make_world(make_conninfo(self.server, dbname=name), Path(folder)) as world:
                yield world


@dataclass(slots=True)
class Proof:
    """What has been tried so far. `idle`: runs that were not hit, or not on a socket: they are judged, not counted."""

    place: Place
    rows: dict[tuple[str, str], Evidence] = field(default_factory=dict)
    idle: int = 0
    told_at: float = field(default_factory=time.monotonic)
    began_at: float = field(default_factory=time.monotonic)

    async def strike(self, series: Series, number: int) -> None:
        """Do one trial, and count it."""
        point = strace.Point(series.call, number)
        trial: Trial | str
        try:
            async with asyncio.timeout(WITHIN), self.place.world() as world:
                trial = await try_out(world, series.scenario, series.injection, point)
        except TimeoutError:
            trial = f"it did not end within {WITHIN:.0f} s"
        except Exception as error:  # noqa: BLE001 - one trial that could not be judged must not hide the others
            trial = f"it could not be judged: {error!r}"
        self._count(series, point, trial)
        if time.monotonic() - self.told_at > UNJUDGED:
            self.told_at = time.monotonic()
            self.tell()

    def _count(self, series: Series, point: strace.Point, trial: Trial | str) -> None:
        row = self.row(series.scenario, series.injection)
        found = [trial] if isinstance(trial, str) else trial.violations
        where = ""
        if not isinstance(trial, str):
            hit = trial.call is not None and (trial.call.network or not series.injection.network)
            series.misses += trial.call is None
            where = trial.call.line if trial.call else "not reached"
            if hit:
                row.tried += 1
                row.rounds += series.scenario.rounds
                row.requests += trial.requests
                row.reviewed += trial.reviewed
            else:
                self.idle += 1
                found = [] if trial.call else found  # a file or a pipe that fails is no fault of the network's
        row.violations += found
        for one in found:
            words = f"--scenario {series.scenario.name} --inject {series.injection.name} --point '{point}'"
            print(f"VIOLATION {words} [{where}]\n  {one}", file=sys.stderr)

    def row(self, scenario: Scenario, injection: Injection) -> Evidence:
        """The row of the table that this belongs to."""
        key = scenario.name, injection.name
        return self.rows.setdefault(key, Evidence(f"{scenario.about}: {injection.about}"))

    def tell(self) -> None:
        """Say how far it is."""
        tried, broken = (sum(row.tried for row in self.rows.values()), sum(len(r.violations) for r in self.rows.values()))
        minutes = (time.monotonic() - self.began_at) / 60
        print(
            f"{time.strftime('%H:%M:%S')} {tried:,} points in {minutes:.1f} min ({tried / minutes:.0f} a minute),"
            f" {self.idle:,} runs not hit, {broken:,} violations",
            file=sys.stderr,
        )


async def all_series(
    place: Place, scenario: Scenario, injections: Iterable[Injection], every: int, chance: random.Random
) -> list[Series]:
    """Look at what the scenario calls, and make a series of each kind of call, for each injection."""
    async with place.world() as world:
        calls = [call for call in await profile(world, scenario) if call.network]
    first: dict[str, int] = {}
    for call in calls:
        first.setdefault(call.point.call, call.point.number)
    return [
        Series(
            scenario, injection, call, iter(itertools.count(max(1, number - EARLIER) + chance.randrange(every), every))
        )
        for injection in injections
        for call, number in first.items()
        if call in injection.calls
    ]


async def go_through(proof: Proof, series: list[Series], jobs: int) -> None:
    """Strike at all points, the series in turn, so many at a time."""
    turn = itertools.cycle(series)

    async def work() -> None:
        for _ in range(len(series)):
            ...
        while not all(one.over for one in series):
            one = next(one for one in turn if not one.over)
            await proof.strike(one, next(iter(one.numbers)))

    async with asyncio.TaskGroup() as group:
        for _ in range(jobs):
            group.create_task(work())


async def main() -> int:
    """Read the command line, and prove."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
