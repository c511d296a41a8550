"""As many histories of replicas, vendor, network and operator as asked for: `python tests/chaos/model.py --examples
2000`.

Prints a table of the histories, and the shortest history of the first broken invariant.
"""

from __future__ import annotations

import argparse
import secrets
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from psycopg.conninfo import make_conninfo
from support.model.database import ModelDatabase
from support.model.interleaving import interleave
from support.model.runner import play
from support.postgres import new_database, running_server, template_database
from support.results_table import table


def main() -> int:
    """Play, and print a table; 1 where an invariant was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=1000)
    parser.add_argument("--schedules", type=int, default=200, help="of replicas whose transactions overlap")
    parser.add_argument("--seed", type=int, default=None, help="the same histories again; by default new ones")
    asked = parser.parse_args()
    seed = secrets.randbits(32) if asked.seed is None else asked.seed
    started = time.monotonic()
    with (
        running_server() as server,
        template_database(server) as template,
        new_database(server, template) as name,
        ModelDatabase(make_conninfo(server, dbname=name)) as db,
    ):
        evidence, tally = play(db, asked.examples, seed=seed)
        gated, _ = play(db, asked.examples // 4, seed=seed, gated=True)
        at_once = interleave(db, asked.schedules, seed=seed)
    print(table([evidence, gated, at_once]))
    print(f"seed {seed}, {tally.steps:,} steps in {time.monotonic() - started:.0f} s")
    print(f"rounds whose request was still under way when the vendor denied it: {tally.overtaken:,}")
    print(", ".join(f"{state} {count:,}" for state, count in tally.states.most_common()))
    violations = [*evidence.violations, *gated.violations, *at_once.violations]
    print(*violations, sep="\n")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
