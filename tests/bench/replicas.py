"""The gain of more than one core at an unlimited rate: requests per second at the vendor's door, of one process and of two.

The two are replicas, or processes under one supervisor (`--processes`). They share this machine's cores with PostgreSQL
and the vendor, so the cores and the processor time of a request are the limit, which the table shows. Measured from the
moment when all of them are at work until nine tenths of the rounds have been asked for.
"""

from __future__ import annotations

import os
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
from psycopg.conninfo import make_conninfo
from support.bulk_rounds import disagreements, seed
from support.cheap_vendor import CheapVendor, cheap_vendor
from support.postgres import new_database

from bench.figures import WITHIN, Place, cpu_of, in_turn, median_of, place, refuse, surroundings, table
from bench.fleet import start_processes, start_replicas

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from support.bulk_rounds import Watched

    Start = Callable[..., list[Watched]]

NEARLY = 0.9
"""Share of the rounds at which the measurement ends: at the very end there is less and less to do at once."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Requests per second at the door; processor time in microseconds per request: of each process of ours, of
    PostgreSQL and of the vendor; cores that these keep busy.
    """

    door: float
    ours: Sequence[float]
    postgres: float
    vendor: float
    busy: float

    @property
    def most(self) -> float:
        """Requests per second that all cores of this machine could give, at this processor time of a request."""
        return (os.cpu_count() or 1) / (sum(self.ours) + self.postgres + self.vendor) * 1e6


def options(parser: argparse.ArgumentParser) -> None:
    """The command-line options."""
    parser.add_argument("--rounds", type=int, default=60_000)
    parser.add_argument("--in-flight", type=int, default=50, help="of each replica or process")
    parser.add_argument("--latency", type=float, default=0.0, help="of the vendor, in seconds")
    parser.add_argument("--replicas", type=int, nargs="*", default=[2])
    parser.add_argument("--processes", type=int, nargs="*", default=[1, 2], help="under one supervisor")
    parser.add_argument("--repeat", type=int, default=5)


def measure(asked: argparse.Namespace) -> str:
    """A table with a row for each number of processes and of replicas."""
    with place() as where, cheap_vendor(asked.latency) as vendor:
        head = (
            f"{surroundings(where.server)}; {asked.rounds:,} rounds, {asked.in_flight} in flight each,"
            f" {asked.latency * 1000:.0f} ms"
        )
        measured = partial(_measured, where, vendor, asked.rounds, asked.in_flight)
        turns = {_named("process", n): partial(measured, start_processes, n) for n in asked.processes}
        turns |= {_named("replica", n): partial(measured, start_replicas, n) for n in asked.replicas}
        found = in_turn(turns, asked.repeat)
    first = next(iter(found.values()))
    rows = {
        name: {
            "requests/s at the vendor's door": median_of([one.door for one in many]),
            "times as many": median_of([one.door / other.door for one, other in zip(many, first, strict=True)], 2),
            "times as many, if all cores were busy": median_of(
                [one.most / other.door for one, other in zip(many, first, strict=True)], 2
            ),
            "cores busy": median_of([one.busy for one in many], 2),
            "processor time of each process of ours, us a request": ", ".join(
                median_of(each) for each in zip(*(one.ours for one in many), strict=True)
            ),
            "of PostgreSQL": median_of([one.postgres for one in many]),
            "of the vendor": median_of([one.vendor for one in many]),
        }
        for name, many in found.items()
    }
    return f"{head}; {asked.repeat} times in turn\n\n{table(rows)}\n"


def _named(what: str, number: int) -> str:
    plural = {"process": "processes", "replica": "replicas"}[what]
    return f"{number} {what if number == 1 else plural}"


def _measured(where: Place, vendor: CheapVendor, rounds: int, in_flight: int, start: Start, number: int) -> Figures:
    with (
        new_database(where.server, where.template) as name,
        tempfile.TemporaryDirectory() as folder,
        ExitStack() as running,
    ):
        dsn = make_conninfo(where.server, dbname=name)
        seed(dsn, rounds)
        vendor.reset()
        commands = start(running, dsn, vendor, Path(folder), number, concurrency=in_flight)
        ours = [one for command in commands for one in _family(command.pid)]
        watched = [*ours, where.postmaster, psutil.Process(vendor.pid)]
        before = _moment(vendor, watched)
        while vendor.counts().requests < NEARLY * rounds:
            time.sleep(0.05)
        after = _moment(vendor, watched)
        ended = [command.ended(WITHIN) for command in commands]
        wrong = disagreements(dsn, vendor) + [f"exit code {one.code}: {one.out}" for one in ended if one.code]
        refuse(wrong)
    seconds, requests = after[0] - before[0], after[1] - before[1]
    spent = [late - early for early, late in zip(before[2], after[2], strict=True)]
    *each, postgres, of_vendor = (one / requests * 1e6 for one in spent)
    return Figures(requests / seconds, each, postgres, of_vendor, sum(spent) / seconds)


def _family(pid: int) -> list[psutil.Process]:
    """A process and its helpers."""
    process = psutil.Process(pid)
    return [process, *process.children()]


def _moment(vendor: CheapVendor, watched: Sequence[psutil.Process]) -> tuple[float, int, list[float]]:
    *ours, postgres, of_vendor = watched
    spent = [sum(one.cpu_times()[:2]) for one in ours]  # without its helpers, which are counted by themselves
    return time.monotonic(), vendor.counts().requests, [*spent, cpu_of(postgres), cpu_of(of_vendor)]
