"""How fast `retention run` is, beside a bare loop that only calls: `python tests/bench/throughput.py`.

Whole processes in turn, A B A B, on an embedded PostgreSQL that syncs its commits, with one cheap vendor. The time of a
process is from its start to its end, less nothing. A figure of a run that was not correct is not printed.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[1]))

import psutil
import psycopg
from psycopg.conninfo import make_conninfo
from support.bulk import MB, Ended, Watched, disagreements, seed, start_run
from support.cheap_vendor import CheapVendor, cheap_vendor
from support.postgres import new_database, running_server, template_database

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

WITHIN = 1800.0
"""Seconds that a process may take."""


@dataclass(frozen=True, slots=True)
class Figures:
    """One process, measured. Rates in rounds per second, CPU in seconds per 1,000 rounds, memory in MB."""

    whole: float
    door: float
    cpu: float
    cpu_postgres: float
    cpu_vendor: float
    peak_rss: float


@dataclass(frozen=True, slots=True)
class Place:
    """Where it is measured."""

    server: str
    template: str
    postmaster: psutil.Process
    vendor: CheapVendor
    rounds: int
    in_flight: int

    def retention(self, tree: Path | None = None) -> Figures:
        """Measure `retention run`, of another checkout if one is given, in a database of its own."""
        environ = {} if tree is None else {"PYTHONPATH": str(tree)}
        with new_database(self.server, self.template) as name, tempfile.TemporaryDirectory() as folder:
            dsn = make_conninfo(self.server, dbname=name)
            seed(dsn, self.rounds)

            def start() -> Watched:
                return start_run(dsn, self.vendor, Path(folder), environ, concurrency=self.in_flight)

            ended, figures = self._measure(start)
            wrong = disagreements(dsn, self.vendor)
            if ended.code != 0 or ended.json["states"] != {"cancelled": self.rounds}:
                wrong.append(f"exit code {ended.code}: {ended.out}")
            refuse(wrong)
        return figures

    def bare_loop(self) -> Figures:
        """Measure the bare loop."""
        words = (str(Path(__file__).with_name("bare_loop.py")), self.vendor.url, str(self.rounds), str(self.in_flight))
        with tempfile.TemporaryDirectory() as folder:
            ended, figures = self._measure(lambda: Watched([sys.executable, *words], Path(folder)))
            refuse([f"exit code {ended.code}"] if ended.code else [])
        return figures

    def _measure(self, start: Callable[[], Watched]) -> tuple[Ended, Figures]:
        self.vendor.reset()
        vendor, postgres = psutil.Process(self.vendor.pid), self.postmaster
        before = _cpu(vendor), _cpu(postgres)
        with start() as process:
            ended = process.ended(WITHIN)
        after = _cpu(vendor), _cpu(postgres)
        counts = self.vendor.counts()
        if (counts.requests, counts.rounds) != (self.rounds, self.rounds):
            refuse([f"the vendor heard {counts.requests} requests for {counts.rounds} rounds, not {self.rounds}"])
        thousands = self.rounds / 1000
        return ended, Figures(
            whole=self.rounds / ended.seconds,
            door=(self.rounds - 1) / (counts.last - counts.first),
            cpu=ended.cpu / thousands,
            cpu_vendor=(after[0] - before[0]) / thousands,
            cpu_postgres=(after[1] - before[1]) / thousands,
            peak_rss=ended.peak_rss / MB,
        )


def _cpu(process: psutil.Process) -> float:
    """CPU seconds of a process, its children, and those of its children that are gone."""
    total = 0.0
    for child in process.children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            total += sum(child.cpu_times()[:2])
    return total + sum(process.cpu_times()[:4])


def refuse(wrong: Sequence[str]) -> None:
    """Leave without a figure if anything was wrong."""
    if wrong:
        sys.exit("no figures, because a run was not correct: " + "; ".join(wrong))


@contextmanager
def places(rounds: int, in_flight: int, latency: float) -> Iterator[Place]:
    """Start what is needed; `latency` in seconds."""
    with running_server() as server:
        with psycopg.connect(server, autocommit=True) as connection:
            if "RETENTION_TEST_DSN" not in os.environ:  # one of the tests' own, for which nothing has to last
                connection.execute("ALTER SYSTEM RESET fsync")
                connection.execute("SELECT pg_reload_conf()")
            postmaster = psutil.Process(connection.info.backend_pid).parent()
        assert postmaster is not None
        with template_database(server) as template, cheap_vendor(latency) as vendor:
            yield Place(server, template, postmaster, vendor, rounds, in_flight)


def table(measured: dict[str, list[Figures]], yardstick: str) -> str:
    """A table in Markdown: medians, with the range in brackets."""
    bare = statistics.median(one.whole for one in measured[yardstick])
    bare_door = statistics.median(one.door for one in measured[yardstick])
    columns: dict[str, Callable[[list[Figures]], str]] = {
        "rounds/s, start to end": lambda found: _median([one.whole for one in found], 0),
        "of the loop": lambda found: f"{statistics.median(one.whole for one in found) / bare:.2f}",
        "rounds/s at the vendor's door": lambda found: _median([one.door for one in found], 0),
        "of the loop's": lambda found: f"{statistics.median(one.door for one in found) / bare_door:.2f}",
        "CPU s per 1,000": lambda found: _median([one.cpu for one in found], 2),
        "PostgreSQL's": lambda found: _median([one.cpu_postgres for one in found], 2),
        "the vendor's": lambda found: _median([one.cpu_vendor for one in found], 2),
        "peak RSS, MB": lambda found: _median([one.peak_rss for one in found], 0),
    }
    lines = [["", *columns], ["---", *("---:" for _ in columns)]]
    lines += [[name, *(column(found) for column in columns.values())] for name, found in measured.items()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _median(values: list[float], digits: int) -> str:
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def surroundings(place: Place) -> str:
    """Machine and versions, in a line."""
    with psycopg.connect(place.server) as connection:
        (row,) = connection.execute("SELECT current_setting('server_version'), current_setting('fsync')").fetchall()
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    names = ", ".join(f"{name} {version(name)}" for name in ("aiohttp", "uvloop", "psycopg"))
    return (
        f"{os.cpu_count()} cores ({platform.machine()}), load {load}; Python {platform.python_version()}, {names},"
        f" PostgreSQL {row[0]} (fsync {row[1]})"
    )


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20_000)
    parser.add_argument("--latency", type=float, default=0.0, metavar="MS", help="of the vendor; milliseconds")
    parser.add_argument("--in-flight", type=int, default=50)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--against", type=Path, metavar="DIR", help="another checkout, measured in turn with this one")
    options = parser.parse_args()
    measured: dict[str, list[Figures]] = {}
    with places(options.rounds, options.in_flight, options.latency / 1000) as place:
        turns: dict[str, Callable[[], Figures]] = {"retention run": place.retention, "bare loop": place.bare_loop}
        if options.against:
            turns[f"retention run at {options.against}"] = lambda: place.retention(options.against.resolve())
        for nth in range(options.repeat):
            for name, measure in turns.items():
                figures = measure()
                measured.setdefault(name, []).append(figures)
                print(f"{time.strftime('%H:%M:%S')} {nth + 1} {name}: {figures}", file=sys.stderr)
        print(
            f"{options.rounds:,} rounds, {options.in_flight} in flight, a vendor that takes {options.latency:g} ms;"
            f" median of {options.repeat} whole processes in turn (least to most).\n{surroundings(place)}\n"
        )
        print(table(measured, "bare loop"))


if __name__ == "__main__":
    main()
