"""Costs that do not grow with the number of rounds: planning and claiming, memory, ledger and WAL, from thousands to
millions.

The operator's table has `--factor` times as many rows as are stale; the others are completed. At most `--send` rounds
are sent from a plan's start, and then SIGTERM stops the run. To see claims at the end of a longer plan without sending
all of it, the rounds between are marked `not_sent` in the ledger, set-based, as if it had been given up; after a VACUUM
another process goes on with `run --resume` and sends the last `--send` rounds. `retention plan` is measured before
`run`, which finds its pages in memory.

Every round is looked at after each process: a called round is cancelled once and everywhere, and no other one is
touched. A row of the operator's table takes some 120 bytes, and the loaded table stands there twice, once as the
template of the databases that are measured: with ledger and WAL, 100 million rows want 50 GB of disk.
"""

from __future__ import annotations

import dataclasses
import statistics
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from psycopg.conninfo import make_conninfo
from support.cheap_vendor import cheap_vendor
from support.postgres import new_database

from bench.figures import median_of, place, say, surroundings, table
from bench.grown import Figures, Scene
from bench.server_log import ServerLog
from bench.sparse import load

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

NOTES = """
Claims are timed by the server's log: parsing, planning and executing, without the commit; full batches alone. The tenths
are of the plan: of more than {send:,} stale rounds the first {send:,} are sent, then SIGTERM comes; what lies between is
marked `not_sent` by an UPDATE and a VACUUM, as if given up, and `run --resume` sends the last {send:,}. WAL of all is the
server's, from a checkpoint on, autovacuum of the plan included; that of `run` itself is what its sessions have written.
HOT updates, dead tuples and sizes are the server's own figures after the first process.
"""


def options(parser: argparse.ArgumentParser) -> None:
    """The command-line options."""
    sizes = [10_000, 100_000, 1_000_000, 10_000_000]
    parser.add_argument("--sizes", type=int, nargs="+", default=sizes, metavar="STALE", help="stale rounds")
    parser.add_argument("--factor", type=int, default=10, help="rows of the operator's table for each stale round")
    parser.add_argument("--send", type=int, default=100_000, help="rounds sent from each end of a longer plan")
    parser.add_argument("--repeat", type=int, default=3)


def measure(asked: argparse.Namespace) -> str:
    """A table with a column for each size."""
    measured: dict[str, list[Figures]] = {}
    with place() as where, cheap_vendor() as vendor:
        about = f"{surroundings(where.server)}, {_settings_of(where.server)}; {asked.repeat} times each"
        log = ServerLog.of(where.server)
        for stale in asked.sizes:
            found = measured.setdefault(f"{stale:,} stale of {stale * asked.factor:,}", [])
            with new_database(where.server, where.template) as loaded:
                load(make_conninfo(where.server, dbname=loaded), stale, asked.factor)
                for nth in range(asked.repeat):
                    with (
                        new_database(where.server, loaded, large=True) as name,
                        tempfile.TemporaryDirectory() as folder,
                    ):
                        dsn = make_conninfo(where.server, dbname=name)
                        scene = Scene(dsn, vendor, log, Path(folder), stale, stale * asked.factor, asked.send)
                        found.append(scene.measured())
                    say(f"{nth + 1} {stale:,} stale: {found[-1]}")
    return f"{about}\n\n{table(_rows(measured))}\n{NOTES.format(send=asked.send)}"


def _settings_of(server: str) -> str:
    """The settings of the server that matter here and are most often changed."""
    names = ["shared_buffers", "work_mem", "max_wal_size"]
    with psycopg.connect(server) as connection:
        rows = connection.execute(
            "SELECT name, current_setting(name) FROM unnest(%s::text[]) AS name", [names]
        ).fetchall()
    return ", ".join(f"{name} {value}" for name, value in rows)


def _rows(measured: Mapping[str, Sequence[Figures]]) -> dict[str, dict[str, str]]:
    """The table's row of each size, and of the last one beside the first."""
    found: dict[str, dict[str, str]] = {}
    for one in dataclasses.fields(Figures):
        values = {
            size: [value for figures in several if (value := getattr(figures, one.name)) is not None]
            for size, several in measured.items()
        }
        row = {size: median_of(several, one.metadata["digits"]) if several else "" for size, several in values.items()}
        least, greatest = (values[size] for size in (next(iter(values)), next(reversed(values))))
        if one.metadata["compared"] and len(values) > 1 and least and greatest and statistics.median(least):
            row["last column : first"] = f"{statistics.median(greatest) / statistics.median(least):.2f}"
        found[one.metadata["row"]] = row
    return found
