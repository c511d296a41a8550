"""The same work by other means: a gather script, pgqueuer, procrastinate, one call after another.

All send the same requests to one cheap vendor, and close the rounds in the operator's table on a PostgreSQL that syncs
its commits. They are whole processes in turn. A job queue's preparation, its tables and a job for each round, is not in
its time; planning is in that of `retention run`. A queue records that a job was begun, the scripts record the result of
a call. As used here, they do not record the request with its uuid before it leaves, keep no rate, and have no answer to
a lost reply.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
from dataclasses import dataclass, replace
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, LiteralString

import psycopg
from psycopg.conninfo import make_conninfo
from support.bulk_rounds import Watched, seed
from support.cheap_vendor import cheap_vendor
from support.postgres import new_database

from bench.figures import WITHIN, in_turn, median_of, place, refuse, say, surroundings, table
from bench.throughput import Figures, Scene

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping, Sequence

OURS = "`retention run`"

LONGEST = 30.0
"""Seconds of mere latency that a rival with one round at a time may take; it gets no more rounds than that."""


@dataclass(frozen=True, slots=True)
class Rival:
    """A rival's name in a table, its module of bench.rivals, its requirements, and its count of finished rounds."""

    title: str
    module: str
    done: LiteralString
    needs: tuple[str, ...] = ()
    slow: bool = False
    one_at_a_time: bool = False


RESULTS: LiteralString = "SELECT count(DISTINCT round_id) FROM public.results WHERE amount = 1.50 AND currency = 'EUR'"

RIVALS = {
    "gather": Rival("gather script", "gather", RESULTS),
    "pgqueuer": Rival(
        "pgqueuer",
        "pgqueuer_jobs",
        "SELECT count(DISTINCT job_id) - (SELECT count(*) FROM pgqueuer) FROM pgqueuer_log WHERE status = 'successful'",
        needs=("pgqueuer", "asyncpg"),
    ),
    "procrastinate": Rival(
        "procrastinate, 4 workers in one process",
        "procrastinate_jobs",
        "SELECT count(*) FROM procrastinate_jobs WHERE status = 'succeeded'",
        needs=("procrastinate",),
        slow=True,
    ),
    "sequential": Rival("one call after another", "sequential", RESULTS, slow=True, one_at_a_time=True),
}


@dataclass(frozen=True, slots=True)
class Turn:
    """One process, measured; `enqueued`: seconds that a job for each round took before, if it needs any."""

    rounds: int
    figures: Figures
    enqueued: float | None = None


def once(scene: Scene, rival: Rival) -> Turn:
    """Measure a rival, in a database of its own."""
    server = scene.place.server
    with new_database(server, scene.place.template) as name, tempfile.TemporaryDirectory() as folder:
        dsn = make_conninfo(server, dbname=name)
        seed(dsn, scene.rounds)

        def start(step: str) -> Watched:
            module = f"bench.rivals.{rival.module}"
            words = ("-m", module, step, dsn, scene.vendor.url, str(scene.in_flight))
            path = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
            return Watched([sys.executable, *words], Path(folder), {"PYTHONPATH": path.rstrip(os.pathsep)})

        with start("prepare") as process:
            prepared = process.ended(WITHIN)
            refuse([process.log.read_text("utf-8")[-2000:]] if prepared.code else [])
        ended, figures = scene.measured(lambda: start("work"))
        wrong = not_done(dsn, scene, rival)
        refuse([*wrong, f"exit code {ended.code}"] if ended.code else wrong)
    return Turn(scene.rounds, figures, prepared.json["enqueued"] if prepared.out else None)


def not_done(dsn: str, scene: Scene, rival: Rival) -> list[str]:
    """Name the rounds that a rival left undone, or did twice."""
    wrong = []
    counts, heard = scene.vendor.counts(), scene.vendor.heard()
    if heard[: scene.rounds] != b"\x01" * scene.rounds or counts.not_understood:
        wrong.append(f"{rival.module}: not each round was called once, {counts.not_understood} were not understood")
    if counts.peak_in_flight > scene.in_flight:
        wrong.append(f"{rival.module}: {counts.peak_in_flight} requests were in flight at a time")
    with psycopg.connect(dsn) as connection:
        questions: dict[str, LiteralString] = {
            "rounds closed at the operator's": "SELECT count(*) FROM public.rounds WHERE status = 2 AND refund = 1.50",
            "rounds in its own record": rival.done,
        }
        for what, question in questions.items():
            (row,) = connection.execute(question).fetchall()
            if row[0] != scene.rounds:
                wrong.append(f"{rival.module}: {row[0]} {what}, not {scene.rounds}")
    return wrong


def rows(measured: Mapping[str, Sequence[Turn]]) -> dict[str, dict[str, str]]:
    """A table's cells for each; ratios are the medians of those between processes that ran in the same turn."""
    ours = measured[OURS]

    def ratio(turns: Sequence[Turn], value: Callable[[Figures], float]) -> str:
        if turns is ours:
            return ""
        return median_of([value(own.figures) / value(one.figures) for own, one in zip(ours, turns, strict=True)], 2)

    def row(turns: Sequence[Turn]) -> dict[str, str]:
        found = [one.figures for one in turns]
        enqueued = [one.rounds / one.enqueued for one in turns if one.enqueued]
        return {
            "rounds": f"{turns[0].rounds:,}",
            "rounds/s at the vendor's door": median_of([one.door for one in found]),
            f"{OURS}: times as many": ratio(turns, lambda one: one.door),
            "rounds/s, start to end": median_of([one.whole for one in found]),
            f"{OURS}: times those": ratio(turns, lambda one: one.whole),
            "enqueued before, rounds/s": median_of(enqueued) if enqueued else "",
            "CPU, us a round": median_of([one.cpu for one in found]),
            "PostgreSQL's CPU, us": median_of([one.cpu_postgres for one in found]),
            "peak RSS, MB": f"{statistics.median(one.peak_rss for one in found):.0f}",
        }

    return {name: row(turns) for name, turns in measured.items()}


def options(parser: argparse.ArgumentParser) -> None:
    """The command-line options."""
    parser.add_argument("--rounds", type=int, default=50_000)
    parser.add_argument("--slow-rounds", type=int, default=5_000, help="for those that take the longest")
    parser.add_argument("--latency", type=float, nargs="+", default=[5.0, 50.0], metavar="MS")
    parser.add_argument("--in-flight", type=int, nargs="+", default=[100, 500])
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--rival", choices=RIVALS, nargs="+", default=[*RIVALS], help="which of them; all, if not said")


def measure(asked: argparse.Namespace) -> str:
    """A table for each latency and number in flight."""
    needs = sorted({need for name in asked.rival for need in RIVALS[name].needs})
    missing = [need for need in needs if find_spec(need) is None]
    about = [f"{need} {version(need)}" for need in needs if need not in missing]
    if missing:
        about.append(f"without {' and '.join(missing)}, which `pip install -e '.[bench]'` installs")
        say(about[-1])
    chosen = [RIVALS[name] for name in asked.rival if not {*missing} & {*RIVALS[name].needs}]
    with place() as where:
        parts = [f"{'; '.join([surroundings(where.server), *about])}; {asked.repeat} times in turn\n"]
        for latency in asked.latency:
            for in_flight in asked.in_flight:
                with cheap_vendor(latency / 1000) as vendor:
                    scene = Scene(where, vendor, asked.rounds, in_flight)
                    measured = _in_turn(scene, chosen, latency, asked)
                parts += [f"{latency:g} ms, {in_flight} in flight\n", table(rows(measured)), ""]
    return "\n".join(parts)


def _in_turn(scene: Scene, chosen: Sequence[Rival], latency: float, asked: argparse.Namespace) -> dict[str, list[Turn]]:
    turns: dict[str, Callable[[], Turn]] = {
        OURS: lambda: Turn(scene.rounds, scene.retention()),
        "bare loop, which records nothing": lambda: Turn(scene.rounds, scene.bare_loop()),
    }
    for rival in chosen:
        rounds = min(asked.rounds, asked.slow_rounds) if rival.slow else asked.rounds
        if rival.one_at_a_time and latency:
            rounds = min(rounds, max(2, int(LONGEST / (latency / 1000))))
        turns[rival.title] = _later(replace(scene, rounds=rounds), rival)
    return in_turn(turns, asked.repeat)


def _later(scene: Scene, rival: Rival) -> Callable[[], Turn]:
    return lambda: once(scene, rival)
