"""The parts that benchmarks share: a place to measure at, figures with their ranges, and the final table."""

from __future__ import annotations

import os
import platform
import statistics
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, TypeVar

import psutil
import psycopg
from support.postgres import running_server, template_database

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

T = TypeVar("T")

WITHIN = 3600.0
"""Seconds that a measured process may take."""


@dataclass(frozen=True, slots=True)
class Place:
    """A PostgreSQL that syncs its commits, with a migrated template to clone."""

    server: str
    template: str
    postmaster: psutil.Process


@contextmanager
def place() -> Iterator[Place]:
    """Start the server and the vendor."""
    with running_server() as server:
        with psycopg.connect(server, autocommit=True) as connection:
            if "RETENTION_TEST_DSN" not in os.environ:  # one of the tests' own, for which nothing has to last
                connection.execute("ALTER SYSTEM RESET fsync")
                connection.execute("SELECT pg_reload_conf()")
            postmaster = psutil.Process(connection.info.backend_pid).parent()
        assert postmaster is not None
        with template_database(server) as template:
            yield Place(server, template, postmaster)


def cpu_of(process: psutil.Process) -> float:
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


def median_of(values: Sequence[float], digits: int = 0) -> str:
    """The median, with the least and the most in brackets; of one value just that."""
    middle = f"{statistics.median(values):,.{digits}f}"
    return middle if len(values) == 1 else f"{middle} ({min(values):,.{digits}f} to {max(values):,.{digits}f})"


def table(rows: Mapping[str, Mapping[str, str]]) -> str:
    """A table in Markdown: by the name of a row, the cells of its columns."""
    columns = [*dict.fromkeys(column for row in rows.values() for column in row)]
    lines = [["", *columns], ["---", *("---:" for _ in columns)]]
    lines += [[name, *(row.get(column, "") for column in columns)] for name, row in rows.items()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def in_turn(turns: Mapping[str, Callable[[], T]], times: int) -> dict[str, list[T]]:
    """Measure each, one after the other, so many times over: a slow stretch of the machine meets all of them."""
    measured: dict[str, list[T]] = {name: [] for name in turns}
    for nth in range(times):
        for name, once in turns.items():
            found = once()
            measured[name].append(found)
            say(f"{nth + 1} {name}: {found}")
    return measured


def say(words: str) -> None:
    """Print the progress."""
    print(f"{time.strftime('%H:%M:%S')} {words}", file=sys.stderr)


def surroundings(server: str) -> str:
    """Machine and versions, in a line."""
    with psycopg.connect(server) as connection:
        (row,) = connection.execute("SELECT current_setting('server_version'), current_setting('fsync')").fetchall()
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    names = ", ".join(f"{name} {version(name)}" for name in ("aiohttp", "uvloop", "psycopg"))
    return (
        f"{os.cpu_count()} shared cores ({platform.machine()}), load {load}; Python {platform.python_version()}, {names},"
        f" PostgreSQL {row[0]} (fsync {row[1]})"
    )
