"""A fault at every call: `python tests/chaos/kills.py`.

A small run is struck at its 1st, 2nd, 3rd ... connect, send and receive. There it is killed, its connections are cut,
the call fails, or the process is frozen. Each trial has a new world, which is then continued and judged. Each broken
invariant is printed when it is found, with the command that reproduces it; a table follows. The exit code is 1 if any
invariant was broken.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import random
import signal
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[1]))

from support import strace
from support.postgres import running_server, template_database
from support.results_table import Evidence, table
from support.scenarios import INJECTIONS, SCENARIOS, Injection, Scenario
from support.trial import Place, Trial, profile, try_out

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

WITHIN = 180.0
"""Seconds that a trial may take."""

MISSES = 3
"""Times that a command has to end by itself, without having come to its n-th call, until no higher n is tried."""

EARLIER = 3
"""How many numbers before the first call on a socket a series begins: runs differ by a few."""

TELLING = 60.0
"""Seconds between two lines about how far it is."""


@dataclass(slots=True)
class Series:
    """One kind of call of one scenario, struck at one number after the other."""

    scenario: Scenario
    injection: Injection
    call: str
    numbers: Iterator[int] = field(default_factory=itertools.count)
    patience: int = MISSES
    misses: int = 0

    @property
    def over(self) -> bool:
        """Whether the command ends before the next call of the series."""
        return self.misses >= self.patience


@dataclass(slots=True)
class Proof:
    """The results so far. `idle`: runs that were not hit, or not on a socket: they are judged, not counted."""

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
        if time.monotonic() - self.told_at > TELLING:
            self.told_at = time.monotonic()
            self.tell()

    def _count(self, series: Series, point: strace.Point, trial: Trial | str) -> None:
        row = self.row(series.scenario, series.injection)
        found = [trial] if isinstance(trial, str) else trial.violations
        where = ""
        if not isinstance(trial, str):
            hit = trial.struck.call is not None and (trial.struck.call.network or not series.injection.network)
            series.misses += trial.struck.call is None
            where = trial.struck.call.line if trial.struck.call else "not reached"
            if hit:
                row.tried += 1
                row.rounds += series.scenario.rounds
                row.requests += trial.requests
                row.reviewed += trial.reviewed
            else:
                self.idle += 1
                found = [] if trial.struck.call else found  # a file or a pipe that fails is no fault of the network's
        row.violations += found
        for one in found:
            words = f"--scenario {series.scenario.name} --inject {series.injection.name} --point '{point}'"
            print(f"VIOLATION {words} [{where}]\n  {one}", file=sys.stderr)
        if found and not isinstance(trial, str):
            for done in dict.fromkeys((trial.struck.done, trial.last)):
                print(f"  exit code {done.code}, and at the end of the log:\n{done.err[-6000:]}", file=sys.stderr)

    def row(self, scenario: Scenario, injection: Injection) -> Evidence:
        """The row of the table that this belongs to."""
        key = scenario.name, injection.name
        return self.rows.setdefault(key, Evidence(f"{scenario.about}: {injection.about}"))

    def tell(self) -> None:
        """Say how far it is."""
        tried, broken = (
            sum(row.tried for row in self.rows.values()),
            sum(len(r.violations) for r in self.rows.values()),
        )
        minutes = (time.monotonic() - self.began_at) / 60
        print(
            f"{time.strftime('%H:%M:%S')} {tried:,} points in {minutes:.1f} min ({tried / minutes:.0f} a minute),"
            f" {self.idle:,} runs not hit, {broken:,} violations",
            file=sys.stderr,
        )


async def all_series(
    place: Place, scenario: Scenario, injections: Iterable[Injection], every: int, chance: random.Random
) -> list[Series]:
    """Read the scenario's calls, and make a series of each kind of call, for each injection."""
    async with place.world() as world:
        calls = [call for call in await profile(world, scenario) if call.network]
    patience = max(1, MISSES // every)
    first: dict[str, int] = {}
    for call in calls:
        first.setdefault(call.point.call, call.point.number)
    return [
        Series(
            scenario,
            injection,
            call,
            itertools.count(max(1, number - EARLIER) + chance.randrange(every), every),
            patience,
        )
        for injection in injections
        for call, number in first.items()
        if call in injection.calls
    ]


async def go_through(proof: Proof, series: list[Series], jobs: int) -> None:
    """Strike at all points, the series in turn, so many at a time."""
    turn = itertools.cycle(series)

    async def work() -> None:
        while not all(one.over for one in series):
            one = next(one for one in turn if not one.over)
            await proof.strike(one, next(one.numbers))

    async with asyncio.TaskGroup() as group:
        for _ in range(jobs):
            group.create_task(work())


async def prove(options: argparse.Namespace, proof: Proof) -> None:
    """Run the series that the command line asks for."""
    scenarios = [SCENARIOS[name] for name in options.scenario or SCENARIOS]
    injections = [INJECTIONS[name] for name in options.inject or INJECTIONS]
    if options.point:
        call, number = options.point.split()
        series = [Series(scenario, injection, call) for scenario in scenarios for injection in injections]
        await asyncio.gather(*(proof.strike(one, int(number)) for one in series))
        return
    chance = random.Random(options.seed)
    series = [
        one
        for scenario in scenarios
        for one in await all_series(proof.place, scenario, injections, options.every, chance)
    ]
    await go_through(proof, series, options.jobs)


def main() -> int:
    """Read the command line, prove, and tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenario", action="append", choices=[*SCENARIOS], help="only this one, and other such ones")
    parser.add_argument("--inject", action="append", choices=[*INJECTIONS], help="only this one, and other such ones")
    parser.add_argument("--point", metavar="'CALL N'", help="only the N-th of these calls")
    parser.add_argument(
        "--jobs", type=int, default=4 * (os.cpu_count() or 1), help="trials at a time: most of them wait"
    )
    parser.add_argument("--every", type=int, default=1, metavar="K", help="only every K-th point")
    parser.add_argument("--seed", type=int, default=0, help="which of every K points is the first")
    options = parser.parse_args()
    if reason := strace.missing():
        parser.error(reason)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # no process is left running, however the proof ends
    with running_server() as server, template_database(server) as template:
        proof, whole = Proof(Place(server, template)), False
        with suppress(KeyboardInterrupt):
            asyncio.run(prove(options, proof))
            whole = True
    proof.tell()
    rows = [proof.rows[key] for key in sorted(proof.rows)]
    print(table(rows))
    if not whole:
        return 128 + signal.SIGINT
    return 1 if any(row.violations for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
