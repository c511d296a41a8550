"""How fast it is, as ratios between commands run in turn: `python tests/bench PART`, or `all` for every part.

Each part ends in a table in Markdown on stdout, with the machine, the versions, and medians with their ranges; progress
goes to stderr. A figure of a run that was not correct is not printed.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]

from bench import (  # noqa: E402 - see the line above
    against,
    audit,
    evidence_cost,
    growth,
    idle,
    months,
    promptness,
    rate,
    replicas,
    reports,
    start,
    throughput,
)

PARTS = {
    "throughput": throughput,
    "rivals": against,
    "replicas": replicas,
    "rate": rate,
    "promptness": promptness,
    "growth": growth,
    "months": months,
    "start": start,
    "idle": idle,
    "evidence_cost": evidence_cost,
    "audit": audit,
    "reports": reports,
}


def main() -> None:
    """Run the requested benchmark."""
    parser = argparse.ArgumentParser(prog="python tests/bench", description=__doc__)
    parts = parser.add_subparsers(metavar="PART", required=True, dest="part")
    for name, module in PARTS.items():
        module.options(parts.add_parser(name, help=_first_line(module.__doc__), description=module.__doc__))
    parts.add_parser("all", help="every part, as tests/bench/README.md has them; takes hours")
    asked = parser.parse_args()
    for name in PARTS if asked.part == "all" else [asked.part]:
        one = argparse.ArgumentParser()
        PARTS[name].options(one)
        print(PARTS[name].measure(one.parse_args([]) if asked.part == "all" else asked), flush=True)


def _first_line(text: str | None) -> str:
    return (text or "").splitlines()[0]


if __name__ == "__main__":
    main()
