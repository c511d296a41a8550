"""What asking first and evidence cost: requests a round, and processor time a request, of both on and both off.

Evidence cannot be switched off. The run without it is that of a copy of this checkout, whose statements that send and
settle leave no evidence. Processor time is ours and PostgreSQL's together.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from support.cheap_vendor import cheap_vendor

from bench.figures import in_turn, median_of, place, surroundings, table
from bench.throughput import Figures, Scene

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

_ROOT = Path(__file__).parents[2]
_RECORDS = Path("sql/queries/shared/evidence_by_run.sql")
_BOTH, _NEITHER = "asks first, with evidence", "neither"


def options(parser: argparse.ArgumentParser) -> None:
    """The command-line options."""
    parser.add_argument("--rounds", type=int, default=50_000)
    parser.add_argument("--latency", type=float, default=0.0, metavar="MS")
    parser.add_argument("--in-flight", type=int, default=50)
    parser.add_argument("--repeat", type=int, default=5)


def measure(asked: argparse.Namespace) -> str:
    """One table; ratios between runs that followed each other."""
    with place() as where, cheap_vendor(asked.latency / 1000) as vendor, tempfile.TemporaryDirectory() as folder:
        about = f"{surroundings(where.server)}; {asked.rounds:,} rounds, {asked.repeat} times in turn"
        scene = Scene(where, vendor, asked.rounds, asked.in_flight)
        bare = _without_evidence(Path(folder))
        measured = in_turn(
            {
                _BOTH: lambda: scene.retention(ask_first=True),
                "asks first, without evidence": lambda: scene.retention(bare, ask_first=True),
                "evidence, without asking": scene.retention,
                _NEITHER: lambda: scene.retention(bare),
            },
            asked.repeat,
        )
    return f"{about}\n\n{table({name: _row(found, measured[_NEITHER]) for name, found in measured.items()})}\n"


def _row(found: Sequence[Figures], neither: Sequence[Figures]) -> dict[str, str]:
    ratios = [_cost(one) / _cost(other) for one, other in zip(found, neither, strict=True)]
    return {
        "requests a round": median_of([one.requests for one in found], 2),
        "CPU, us a request": median_of([_cost(one) for one in found]),
        "of neither's": median_of(ratios, 2),
        "of it ours": median_of([one.cpu / one.requests for one in found]),
        "PostgreSQL's": median_of([one.cpu_postgres / one.requests for one in found]),
        "rounds/s at the vendor's door": median_of([one.door for one in found]),
    }


def _cost(one: Figures) -> float:
    """Processor time of our process and of PostgreSQL, in microseconds a request."""
    return (one.cpu + one.cpu_postgres) / one.requests


def _without_evidence(folder: Path) -> Path:
    """Copy the package, with statements that record nothing."""
    for name in ("retention", "sql"):
        shutil.copytree(_ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / _RECORDS).write_text("evidence_recorded AS (SELECT)\n", "utf-8")
    return folder
