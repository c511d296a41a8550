"""The gain of a second replica at an unlimited rate: requests per second at the vendor's door, of one and of two.

The two share this machine's cores with PostgreSQL and the vendor. Measured from the moment when all of them are at work
until nine tenths of the rounds have been asked for.
"""

from __future__ import annotations

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
from bench.fleet import start_replicas

if TYPE_CHECKING:
    import argparse

NEARLY = 0.9
"""Share of the rounds at which the measurement ends: at the very end there is less and less to do at once."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Requests per second at the door; CPU of the replicas and of PostgreSQL, in microseconds per request."""

    door: float
    cpu: float
    cpu_postgres: float


def options(parser: argparse.ArgumentParser) -> None:
    """The command-line options."""
    parser.add_argument("--rounds", type=int, default=60_000)
    parser.add_argument("--in-flight", type=int, default=50, help="of each replica")
    parser.add_argument("--replicas", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repeat", type=int, default=5)


def measure(asked: argparse.Namespace) -> str:
    """A table with a row for each number of replicas."""
    with place() as where, cheap_vendor() as vendor:
        head = f"{surroundings(where.server)}; {asked.rounds:,} rounds, {asked.in_flight} in flight each, 0 ms"
        measured = partial(_measured, where, vendor, asked.rounds, asked.in_flight)
        found = in_turn({_named(number): partial(measured, number) for number in asked.replicas}, asked.repeat)
    fewest = found[_named(asked.replicas[0])]
    rows = {
        name: {
            "requests/s at the vendor's door": median_of([one.door for one in many]),
            "times as many": median_of([one.door / other.door for one, other in zip(many, fewest, strict=True)], 2),
            "replicas' CPU, us a request": median_of([one.cpu for one in many]),
            "PostgreSQL's CPU, us": median_of([one.cpu_postgres for one in many]),
        }
        for name, many in found.items()
    }
    return f"{head}; {asked.repeat} times in turn\n\n{table(rows)}\n"


def _named(replicas: int) -> str:
    return f"{replicas} replica{'s' if replicas > 1 else ''}"


def _measured(where: Place, vendor: CheapVendor, rounds: int, in_flight: int, replicas: int) -> Figures:
    with (
        new_database(where.server, where.template) as name,
        tempfile.TemporaryDirectory() as folder,
        ExitStack() as running,
    ):
        dsn = make_conninfo(where.server, dbname=name)
        seed(dsn, rounds)
        vendor.reset()
        processes = start_replicas(running, dsn, vendor, Path(folder), replicas, concurrency=in_flight)
        watched = [psutil.Process(process.pid) for process in processes]
        before = _moment(where, vendor, watched)
        while vendor.counts().requests < NEARLY * rounds:
            time.sleep(0.05)
        after = _moment(where, vendor, watched)
        ended = [process.ended(WITHIN) for process in processes]
        wrong = disagreements(dsn, vendor) + [f"exit code {one.code}: {one.out}" for one in ended if one.code]
        refuse(wrong)
    passed, requests, cpu, postgres = (late - early for early, late in zip(before, after, strict=True))
    return Figures(requests / passed, cpu / requests * 1e6, postgres / requests * 1e6)


def _moment(where: Place, vendor: CheapVendor, watched: list[psutil.Process]) -> tuple[float, int, float, float]:
    return time.monotonic(), vendor.counts().requests, sum(map(cpu_of, watched)), cpu_of(where.postmaster)
