"""End to end at an unlimited rate, beside a bare loop that only calls.

Whole processes in turn, A B A B, on a PostgreSQL that syncs its commits, with one cheap vendor. The time of a process
is from its start to its end; at the vendor's door it is from the first request to the last.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
from psycopg.conninfo import make_conninfo
from support.bulk_rounds import MB, Ended, Watched, disagreements, seed, start_run
from support.cheap_vendor import CheapVendor, cheap_vendor
from support.postgres import new_database

from bench.figures import WITHIN, Place, cpu_of, in_turn, median_of, place, refuse, surroundings, table

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Figures:
    """One process, measured. Rates in rounds per second, CPU in microseconds per round, memory in MB."""

    whole: float
    door: float
    cpu: float
    cpu_postgres: float
    cpu_vendor: float
    peak_rss: float
    requests: float
    """Requests a round: cancel requests and questions."""

    @property
    def together(self) -> float:
        """CPU of the process, PostgreSQL and the vendor."""
        return self.cpu + self.cpu_postgres + self.cpu_vendor

    @property
    def limit(self) -> float:
        """The rate at which the process would take a whole core, or all three would take all cores."""
        return 1e6 / max(self.cpu, self.together / (os.cpu_count() or 1))


@dataclass(frozen=True, slots=True)
class Scene:
    """So many rounds, so many requests in flight, and a vendor."""

    place: Place
    vendor: CheapVendor
    rounds: int
    in_flight: int

    def retention(self, tree: Path | None = None, *, ask_first: bool = False) -> Figures:
        """Measure `retention run`, of another checkout if one is given, in a database of its own."""
        environ = {} if tree is None else {"PYTHONPATH": str(tree)}
        with new_database(self.place.server, self.place.template) as name, tempfile.TemporaryDirectory() as folder:
            dsn = make_conninfo(self.place.server, dbname=name)
            seed(dsn, self.rounds)

            def start() -> Watched:
                return start_run(
                    dsn, self.vendor, Path(folder), environ, concurrency=self.in_flight, ask_first=ask_first
                )

            ended, figures = self.measured(start)
            wrong = disagreements(dsn, self.vendor)
            if ended.code != 0 or ended.json["states"] != {"cancelled": self.rounds}:
                wrong.append(f"exit code {ended.code}: {ended.out}")
            refuse(wrong)
        return figures

    def bare_loop(self) -> Figures:
        """Measure the bare loop."""
        words = (str(Path(__file__).with_name("bare_loop.py")), self.vendor.url, str(self.rounds), str(self.in_flight))
        with tempfile.TemporaryDirectory() as folder:
            ended, figures = self.measured(lambda: Watched([sys.executable, *words], Path(folder)))
            refuse([f"exit code {ended.code}"] if ended.code else [])
        return figures

    def measured(self, start: Callable[[], Watched]) -> tuple[Ended, Figures]:
        """Measure a process that calls the vendor once for each round."""
        self.vendor.reset()
        vendor = psutil.Process(self.vendor.pid)
        before = cpu_of(vendor), cpu_of(self.place.postmaster)
        with start() as process:
            ended = process.ended(WITHIN)
        after = cpu_of(vendor), cpu_of(self.place.postmaster)
        counts = self.vendor.counts()
        if (counts.requests, counts.rounds) != (self.rounds, self.rounds):
            refuse([f"the vendor heard {counts.requests} requests for {counts.rounds} rounds, not {self.rounds}"])
        each = 1e6 / self.rounds
        return ended, Figures(
            whole=self.rounds / ended.seconds,
            door=(self.rounds - 1) / (counts.last - counts.first),
            cpu=ended.cpu * each,
            cpu_vendor=(after[0] - before[0]) * each,
            cpu_postgres=(after[1] - before[1]) * each,
            peak_rss=ended.peak_rss / MB,
            requests=(counts.requests + counts.questions) / self.rounds,
        )


def rows(measured: dict[str, list[Figures]], yardstick: str) -> dict[str, dict[str, str]]:
    """A table's cells for each kind of process; ratios are the medians of those between runs that followed each
    other.
    """
    bare = measured[yardstick]

    def ratio(found: list[Figures], value: Callable[[Figures], float]) -> str:
        return median_of([value(one) / value(other) for one, other in zip(found, bare, strict=True)], 2)

    return {
        name: {
            "rounds/s at the vendor's door": median_of([one.door for one in found]),
            "of the loop": ratio(found, lambda one: one.door),
            "rounds/s, start to end": median_of([one.whole for one in found]),
            "of the loop's": ratio(found, lambda one: one.whole),
            "CPU, us a round": median_of([one.cpu for one in found]),
            "of its CPU": ratio(found, lambda one: one.cpu),
            "PostgreSQL's CPU, us": median_of([one.cpu_postgres for one in found]),
            "the vendor's CPU, us": median_of([one.cpu_vendor for one in found]),
            "cores busy with these": median_of([one.together * one.whole / 1e6 for one in found], 2),
            "of the loop, were no core ever idle": ratio(found, lambda one: one.limit),
            "peak RSS, MB": f"{statistics.median(one.peak_rss for one in found):.0f}",
        }
        for name, found in measured.items()
    }


def options(parser: argparse.ArgumentParser) -> None:
    """The command-line options."""
    parser.add_argument("--rounds", type=int, default=50_000)
    parser.add_argument("--latency", type=float, nargs="+", default=[0.0, 5.0, 50.0], metavar="MS")
    parser.add_argument("--in-flight", type=int, nargs="+", default=[50, 100, 500, 1000])
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--against", type=Path, metavar="DIR", help="another checkout, measured in turn with this one")


def measure(asked: argparse.Namespace) -> str:
    """A table for each latency and number in flight."""
    with place() as where:
        parts = [f"{surroundings(where.server)}; {asked.rounds:,} rounds, {asked.repeat} times in turn\n"]
        for latency in asked.latency:
            for in_flight in asked.in_flight:
                with cheap_vendor(latency / 1000) as vendor:
                    scene = Scene(where, vendor, asked.rounds, in_flight)
                    measured = _in_turn(scene, asked.repeat, asked.against)
                parts += [f"{latency:g} ms, {in_flight} in flight\n", table(rows(measured, "bare loop")), ""]
    return "\n".join(parts)


def _in_turn(scene: Scene, times: int, against: Path | None) -> dict[str, list[Figures]]:
    turns: dict[str, Callable[[], Figures]] = {"retention run": scene.retention, "bare loop": scene.bare_loop}
    if against:
        turns[f"retention run at {against}"] = lambda: scene.retention(against.resolve())
    return in_turn(turns, times)
