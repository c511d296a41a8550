"""`report` of a ledger with many cancelled rounds, in every format: its time and its memory.

The rounds of a month are generated in bulk by SQL: three markets, two currencies, a plan digest, a refund each. Each
format is written to a file by a process of its own; its rows are counted afterwards.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from psycopg.conninfo import make_conninfo
from support.bulk_rounds import MB, Watched
from support.postgres import new_database

from bench.figures import WITHIN, median_of, place, refuse, say, surroundings, table
from retention.render.formats import Format

if TYPE_CHECKING:
    import argparse

_RUN = "44444444-4444-4444-8444-444444444444"

_ROWS = f"""
INSERT INTO retention.runs (run_id, policy, trigger, mode, as_of, requested_by, settings, status, finished_at, reason)
VALUES ('{_RUN}', 'nightly', 'on_demand', 'enforce', '2026-10-01', 'ann', '{{}}', 'finished', '2026-11-01', 'order 17');
INSERT INTO retention.cancellations
    (run_id, partner, market, game_id, user_id, round_id, opened_at, stake, stake_currency, bet_transaction_id, state,
     error_code, description, currency, amount, transaction_id, settled_at, attempts)
SELECT '{_RUN}', 'acme', (ARRAY['MT', 'SE', 'GB'])[n %% 3 + 1], 'game-' || n %% 40, 'user-' || n, 'round-' || n,
       at - interval '5 days', 1.5, (ARRAY['EUR', 'SEK'])[n %% 2 + 1], 'bet-' || n, 'cancelled', '0', 'ok',
       (ARRAY['EUR', 'SEK'])[n %% 2 + 1], CASE WHEN n %% 1000 = 0 THEN 1.25 ELSE 1.5 END, 'bet-' || n, at, 1
FROM generate_series(1, %(rounds)s) AS n
CROSS JOIN LATERAL (SELECT timestamptz '2026-10-01 00:00Z' + (n %% 2678400) * interval '1 second' AS at) t;
"""


def options(parser: argparse.ArgumentParser) -> None:
    """The command-line options."""
    parser.add_argument("--rounds", type=int, nargs="+", default=[10_000, 1_000_000], metavar="ROUNDS")
    parser.add_argument("--formats", nargs="+", default=[*Format], metavar="FORMAT")
    parser.add_argument("--repeat", type=int, default=3)


def measure(asked: argparse.Namespace) -> str:
    """A table with a row for each format, and two columns for each size."""
    rows: dict[str, dict[str, str]] = {}
    with place() as where:
        about = f"{surroundings(where.server)}; {asked.repeat} times each"
        for rounds in asked.rounds:
            with new_database(where.server, where.template) as name, tempfile.TemporaryDirectory() as folder:
                dsn = make_conninfo(where.server, dbname=name)
                _fill(dsn, rounds)
                for form in asked.formats:
                    found = [_written(dsn, Path(folder), form, rounds) for _ in range(asked.repeat)]
                    say(f"{rounds:,} rounds, {form}: {found}")
                    rows.setdefault(form, {}).update(
                        {
                            f"{rounds:,} rounds, seconds": median_of([one[0] for one in found], 1),
                            f"{rounds:,} rounds, peak MB": median_of([one[1] for one in found]),
                            f"{rounds:,} rounds, file MB": median_of([one[2] for one in found], 1),
                        }
                    )
    return f"{about}\n\n{table(rows)}\n"


def _fill(dsn: str, rounds: int) -> None:
    with psycopg.connect(dsn) as connection, psycopg.ClientCursor(connection) as cursor:
        cursor.execute(_ROWS.encode(), {"rounds": rounds})
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")


def _written(dsn: str, folder: Path, form: str, rounds: int) -> tuple[float, float, float]:
    """Write the report; returns its seconds, its peak memory and the size of its file, both in MB."""
    configuration, file = folder / "retention.toml", folder / f"report.{form}"
    configuration.write_text(f'[database]\ndsn = "{dsn}"\n', "utf-8")
    for earlier in folder.glob("report*"):
        earlier.unlink()
    words = ["report", "--period", "2026-10", "--format", form, "-o", str(file)]
    with Watched([sys.executable, "-m", "retention", "--config", str(configuration), *words], folder) as process:
        ended = process.ended(WITHIN)
    refuse([] if ended.code == 0 else [ended.out, (folder / "log.jsonl").read_text("utf-8")])
    size = sum(one.stat().st_size for one in folder.glob("report*"))
    if form == Format.CSV:
        with file.open("rb") as written:
            refuse([] if sum(1 for _ in written) == rounds + 1 else [f"{file}: it has not {rounds} rounds"])
    return ended.seconds, ended.peak_rss / MB, size / MB
