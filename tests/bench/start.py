"""Start times: help, version, and a run without work.

Whole processes of the interpreter that measures, in turn, beside one that does nothing. A turn ahead is not counted: it
compiles the modules, and reads them from the disk.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from psycopg.conninfo import make_conninfo
from support.cheap_vendor import cheap_vendor
from support.postgres import new_database

from bench.figures import median_of, place, refuse, say, surroundings, table

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from support.cheap_vendor import CheapVendor


@dataclass(frozen=True, slots=True)
class Command:
    """A command, a test of its output, and its time limit in ms."""

    words: Sequence[str]
    is_right: Callable[[str], bool]
    target: float | None = None


@dataclass(frozen=True, slots=True)
class Took:
    """The time of a process, in ms: of the clock, and of the CPU."""

    wall: float
    cpu: float


def once(command: Command, folder: Path) -> Took:
    """Start it and wait for its end, in a folder where it finds nothing."""
    out = folder / "out"
    with out.open("wb") as stdout, (folder / "log").open("wb") as stderr:
        begun = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, *command.words], cwd=folder, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    said = out.read_text("utf-8")
    if process.returncode or not command.is_right(said):
        log = (folder / "log").read_text("utf-8")
        refuse([f"{' '.join(command.words)}: exit code {process.returncode}: {said[-500:]} {log[-500:]}"])
    return Took(wall * 1000, (usage.ru_utime + usage.ru_stime) * 1000)


def configuration(dsn: str, vendor: CheapVendor) -> str:
    """One partner and one policy that cancels."""
    return (
        f"[database]\ndsn = {json.dumps(dsn)}\n[partners.acme]\nsecure_login = 'login'\ntoken = 'token-9d41c7b2e6'\n"
        f"api_url = {json.dumps(vendor.url + '/secret-path')}\nrate = 20\n"
        "[policies.nightly]\nopen_longer_than = '72h'\nmode = 'enforce'\nmax_rounds = 5000\n"
    )


def commands(file: Path) -> dict[str, Command]:
    """The measured commands, by name."""
    ours = ("-m", "retention")
    return {
        "`python -c pass`": Command(("-c", "pass"), lambda said: not said),
        "`retention --help`": Command((*ours, "--help"), _is_help, 150),
        "`retention --version`": Command((*ours, "--version"), lambda said: said.strip() == version("retention"), 150),
        "`retention run`, nothing to do": Command(
            (*ours, "--config", str(file), "--log-format", "json", "run", "nightly", "--json"), _did_nothing, 1000
        ),
    }


def options(parser: argparse.ArgumentParser) -> None:
    """The command-line options."""
    parser.add_argument("--repeat", type=int, default=30)


def measure(asked: argparse.Namespace) -> str:
    """A table."""
    with (
        place() as where,
        new_database(where.server, where.template) as name,
        cheap_vendor() as vendor,
        tempfile.TemporaryDirectory() as folder,
    ):
        dsn = make_conninfo(where.server, dbname=name)
        file = Path(folder) / "bench.toml"
        file.write_text(configuration(dsn, vendor), "utf-8")
        wanted = commands(file)
        took: dict[str, list[Took]] = {name: [] for name in wanted}
        for nth in range(asked.repeat + 1):
            for title, command in wanted.items():
                found = once(command, Path(folder))
                if nth:
                    took[title].append(found)
                    say(f"{nth} {title}: {found}")
        refuse(_done(dsn, vendor, asked.repeat + 1))
        about = f"{surroundings(where.server)}; {asked.repeat} times in turn\n"
    found_rows = {
        title: {
            "ms, start to end": median_of([one.wall for one in took[title]]),
            "CPU, ms": median_of([one.cpu for one in took[title]]),
            "its median should be below": f"{command.target:,.0f}" if command.target else "",
        }
        for title, command in wanted.items()
    }
    return f"{about}\n{table(found_rows)}\n"


def _is_help(said: str) -> bool:
    commands_there = {line.split()[0] for line in said.partition("Commands:")[2].splitlines() if line.strip()}
    return said.startswith("Usage: retention ") and {"check", "plan", "run", "serve", "report"} <= commands_there


def _did_nothing(said: str) -> bool:
    run = json.loads(said)
    return run["status"] == "finished" and not run["states"]


def _done(dsn: str, vendor: CheapVendor, runs: int) -> list[str]:
    """Name each deviation after so many runs without work."""
    with psycopg.connect(dsn) as connection:
        (row,) = connection.execute(
            "SELECT count(*) FILTER (WHERE status = 'finished'), count(*),"
            " (SELECT count(*) FROM retention.cancellations) FROM retention.runs"
        ).fetchall()
    wrong = [] if row == (runs, runs, 0) else [f"finished runs, runs, cancellations: {row}, after {runs} runs"]
    return wrong + ([f"{vendor.counts().requests} requests"] if vendor.counts().requests else [])
