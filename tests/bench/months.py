"""A ledger of ten years beside an empty one: claims, `explain`, and the report of one month.

Each month has a run with its rounds, attempts and evidence, in partitions of its own. Then a run cancels the same
rounds in both ledgers, in turn.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from psycopg.conninfo import make_conninfo
from support.aged_ledger import fill_months
from support.bulk_rounds import Watched, disagreements, seed, start_run
from support.cheap_vendor import cheap_vendor
from support.postgres import new_database

from bench.figures import WITHIN, median_of, place, refuse, say, surroundings, table
from bench.server_log import ServerLog

if TYPE_CHECKING:
    import argparse

    from support.cheap_vendor import CheapVendor

CLAIMS = "claims/claim_rounds"


@dataclass(frozen=True, slots=True)
class Figures:
    """One run of one ledger, measured. Times of the server in ms, those of commands in seconds."""

    claim_median: float
    claim_p95: float
    explain: float
    report: float
    door: float


def options(parser: argparse.ArgumentParser) -> None:
    """The command-line options."""
    parser.add_argument("--months", type=int, default=120)
    parser.add_argument("--rounds-a-month", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=10_000, help="rounds that the measured run cancels")
    parser.add_argument("--repeat", type=int, default=3)


def measure(asked: argparse.Namespace) -> str:
    """A table with a column for each ledger, and their ratios run by run."""
    found: dict[int, list[Figures]] = {0: [], asked.months: []}
    with place() as where, cheap_vendor() as vendor, new_database(where.server, where.template) as aged:
        log = ServerLog.of(where.server)
        _fill(make_conninfo(where.server, dbname=aged), asked.months, asked.rounds_a_month)
        say(f"{asked.months} months are there")
        about = f"{surroundings(where.server)}; {asked.repeat} times in turn, {asked.rounds:,} rounds"
        for nth in range(asked.repeat):
            for months, template in ((0, where.template), (asked.months, aged)):
                with new_database(where.server, template, large=True) as name:
                    dsn = make_conninfo(where.server, dbname=name)
                    found[months].append(_measured(dsn, vendor, log, asked.rounds))
                say(f"{nth + 1} {months} months: {found[months][-1]}")
    return f"{about}\n\n{table(_rows(found[0], found[asked.months], asked.months))}\n"


def _fill(dsn: str, months: int, rounds: int) -> None:
    this = datetime.now(UTC)
    numbers = range(this.year * 12 + this.month - 1 - months, this.year * 12 + this.month - 1)
    with psycopg.connect(dsn) as connection:
        names = [f"{one // 12}-{one % 12 + 1:02}" for one in numbers]
        fill_months(connection, *names, earliest=names[0], rounds=rounds, batch=1000)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("SELECT retention.begin_month()")
        connection.execute("VACUUM ANALYZE")


def _measured(dsn: str, vendor: CheapVendor, log: ServerLog, rounds: int) -> Figures:
    seed(dsn, rounds)
    vendor.reset()
    since = log.end()
    with tempfile.TemporaryDirectory() as folder:
        with start_run(dsn, vendor, Path(folder)) as process:
            ended = process.ended(WITHIN)
        wrong = disagreements(dsn, vendor)
        if ended.code != 0 or ended.json["states"] != {"cancelled": rounds}:
            wrong.append(f"exit code {ended.code}: {ended.out}")
        refuse(wrong)
        claims = [one.ms for one in log.timed([CLAIMS], since)[CLAIMS]]
        explain, told = _command(dsn, Path(folder), "explain", "--partner", "acme", "--round", "r7", "--json")
        refuse([] if json.loads(told)["cancellations"] else [told])
        month = f"{datetime.now(UTC):%Y-%m}"
        report, told = _command(dsn, Path(folder), "report", "--period", month, "--format", "json")
        refuse([] if len(json.loads(told)["rounds"]) == rounds else [told[:1000]])
    counts = vendor.counts()
    return Figures(
        statistics.median(claims),
        statistics.quantiles(claims, n=20)[-1],
        explain,
        report,
        (rounds - 1) / (counts.last - counts.first),
    )


def _command(dsn: str, folder: Path, *words: str) -> tuple[float, str]:
    """Run a command that only reads; returns its seconds from start to end, and what it printed."""
    configuration = folder / "read.toml"
    configuration.write_text(f'[database]\ndsn = "{dsn}"\n', "utf-8")
    own = folder / words[0]
    own.mkdir(exist_ok=True)
    with Watched([sys.executable, "-m", "retention", "--config", str(configuration), *words], own) as process:
        ended = process.ended(WITHIN)
    refuse([] if ended.code == 0 else [ended.out, (own / "log.jsonl").read_text("utf-8")])
    return ended.seconds, ended.out


def _rows(empty: list[Figures], aged: list[Figures], months: int) -> dict[str, dict[str, str]]:
    names = {
        "claim_median": "a claim, median, ms",
        "claim_p95": "a claim, p95, ms",
        "explain": "`explain`, s",
        "report": "`report` of one month, s",
        "door": "rounds/s at the vendor's door",
    }
    rows = {}
    for key, name in names.items():
        values = [[getattr(one, key) for one in several] for several in (empty, aged)]
        ratios = [old / new for new, old in zip(*values, strict=True)]
        digits = 0 if key == "door" else 2
        rows[name] = {
            "empty ledger": median_of(values[0], digits),
            f"{months} months": median_of(values[1], digits),
            "ratio": median_of(ratios, 2),
        }
    return rows
