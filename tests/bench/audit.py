"""`audit verify` of a ledger with many rounds: its time, its memory, and the server's temporary files.

Rows and evidence are generated in bulk by SQL: each round is settled by a question and a cancel, and each entry of
evidence covers `--batch` rounds, as a settled batch does. The ledger is not vacuumed between the processes.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import psycopg
from psycopg.conninfo import make_conninfo
from support.evidence_writer import place_entries, record_rows
from support.postgres import new_database

from bench.figures import WITHIN, median_of, place, refuse, say, surroundings, table

if TYPE_CHECKING:
    import argparse

_RUN = "44444444-4444-4444-8444-444444444444"

_ROWS = f"""
INSERT INTO retention.runs (run_id, policy, trigger, mode, as_of, requested_by, settings, status, finished_at)
VALUES ('{_RUN}', 'nightly', 'on_demand', 'enforce', now(), 'ann', '{{}}', 'finished', now());
INSERT INTO retention.cancellations
    (run_id, partner, market, game_id, user_id, round_id, opened_at, stake, stake_currency, bet_transaction_id, state,
     error_code, description, currency, amount, transaction_id, settled_at, attempts)
SELECT '{_RUN}', 'acme', 'MT', 'game', 'user-' || n, 'round-' || n, now() - interval '5 days', 1.5, 'EUR', 'bet-' || n,
       'cancelled', '0', 'ok', 'EUR', 1.5, 'bet-' || n, now(), 1
FROM generate_series(1, %(rounds)s) AS n;
INSERT INTO retention.attempts
    (uuid, cancellation_id, run_id, kind, replica, claimed_at, sent_at, replied_at, http_status, error_code, outcome)
SELECT gen_random_uuid(), id, run_id, kind, 'host-1', now(), now(), now(), 200, '0', outcome
FROM retention.cancellations, (VALUES ('status', 'in_progress'), ('cancel', 'cancelled')) AS a (kind, outcome);
"""


def options(parser: argparse.ArgumentParser) -> None:
    """The command-line options."""
    parser.add_argument("--rounds", type=int, nargs="+", default=[10_000, 100_000, 1_000_000], metavar="ROUNDS")
    parser.add_argument("--batch", type=int, default=100, help="rows of a subject that an entry covers")
    parser.add_argument("--repeat", type=int, default=3)


def measure(asked: argparse.Namespace) -> str:
    """A table with a column for each size."""
    rows: dict[str, dict[str, str]] = {}
    with place() as where:
        about = f"{surroundings(where.server)}; {asked.repeat} times each"
        for rounds in asked.rounds:
            with new_database(where.server, where.template) as name, tempfile.TemporaryDirectory() as folder:
                dsn = make_conninfo(where.server, dbname=name)
                entries = _fill(dsn, rounds, asked.batch)
                found = [_verified(dsn, Path(folder)) for _ in range(asked.repeat)]
                say(f"{rounds:,} rounds: {found}")
                figures = {
                    "rows, entries": f"{3 * rounds + 1:,}, {entries:,}",
                    "seconds": median_of([one[0] for one in found], 1),
                    "peak memory of `audit verify`, MB": median_of([one[1] for one in found]),
                    "PostgreSQL's temporary files, MB": median_of([one[2] for one in found]),
                }
                for row, value in figures.items():
                    rows.setdefault(row, {})[f"{rounds:,} rounds"] = value
    return f"{about}\n\n{table(rows)}\n"


def _fill(dsn: str, rounds: int, batch: int) -> int:
    """Make the ledger; returns the number of its entries."""
    with psycopg.connect(dsn) as connection:
        with psycopg.ClientCursor(connection) as cursor:
            cursor.execute(_ROWS.encode(), {"rounds": rounds})
        entries = record_rows(connection, "settled", batch=batch)
        place_entries(connection)
        connection.commit()
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
    return entries


def _verified(dsn: str, folder: Path) -> tuple[float, float, float]:
    """Run the command; returns its seconds, its peak memory and the temporary files, both in MB."""
    configuration = folder / "retention.toml"
    configuration.write_text(f'[database]\ndsn = "{dsn}"\n', "utf-8")
    before, begin = _temporary(dsn), time.monotonic()
    words = [sys.executable, "-m", "retention", "--config", str(configuration), "audit", "verify"]
    process = psutil.Popen(words, stdout=subprocess.PIPE)
    peak = 0
    while process.poll() is None and time.monotonic() < begin + WITHIN:
        try:
            peak = max(peak, process.memory_info().rss)
        except psutil.Error:
            break
        time.sleep(0.02)
    out = process.communicate()[0].decode()
    seconds = time.monotonic() - begin
    refuse([] if process.returncode == 0 else [out])
    return seconds, peak / 1e6, (_temporary(dsn) - before) / 1e6


def _temporary(dsn: str) -> float:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("SELECT pg_stat_clear_snapshot()")
        row: Any = connection.execute(
            "SELECT temp_bytes FROM pg_stat_database WHERE datname = current_database()"
        ).fetchone()
    return float(row[0])
