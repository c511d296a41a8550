"""The cost of an idle `retention serve`.

One process with twenty scheduled policies, on an embedded PostgreSQL; measured once it is ready, over a stretch of
time.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import URLError

import psutil
import psycopg
from psycopg.conninfo import make_conninfo
from support.bulk_rounds import MB
from support.postgres import new_database
from support.replica import free_port

from bench.figures import cpu_of, place, surroundings

if TYPE_CHECKING:
    import argparse


def configuration(dsn: str, policies: int) -> str:
    """So many policies, each with a time of its own in the night, none of which comes while it is measured."""
    hour = (time.gmtime().tm_hour + 12) % 24
    tables = [
        f'[policies.p{number}]\nopen_longer_than = "72h"\nmax_rounds = 5\ncatch_up = "6h"\n'
        f'schedule = "{number} {hour} * * *"\ntimezone = "UTC"\n'
        for number in range(policies)
    ]
    partner = '[partners.acme]\nsecure_login = "acme"\ntoken = "t0ken"\napi_url = "http://127.0.0.1:1"\nrate = 20\n'
    return f"[database]\ndsn = '{dsn}'\n{partner}{''.join(tables)}"


def options(parser: argparse.ArgumentParser) -> None:
    """The command-line options."""
    parser.add_argument("--policies", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=60.0)


def measure(asked: argparse.Namespace) -> str:
    """One line."""
    with place() as where, new_database(where.server, where.template) as name, tempfile.TemporaryDirectory() as folder:
        dsn = make_conninfo(where.server, dbname=name)
        file = Path(folder) / "retention.toml"
        file.write_text(configuration(dsn, asked.policies), "utf-8")
        url = f"127.0.0.1:{free_port()}"
        words = [sys.executable, "-m", "retention", "--config", str(file), "serve", "--http", url]
        with subprocess.Popen(words, stdout=subprocess.DEVNULL) as process:
            try:
                ready(f"http://{url}/readyz")
                time.sleep(3)  # the first looks, which find out about the schedules
                own = psutil.Process(process.pid)
                backends = backends_of(dsn)
                before = cpu_of(own), sum(map(cpu_of, backends))
                time.sleep(asked.seconds)
                after = cpu_of(own), sum(map(cpu_of, backends))
                memory = own.memory_info().rss / MB
            finally:
                process.terminate()
        share, postgres = ((late - early) / asked.seconds * 100 for late, early in zip(after, before, strict=True))
        return (
            f"{surroundings(where.server)}\n\n{asked.policies} policies, {asked.seconds:.0f} s idle: {share:.2f} % of a"
            f" core, {postgres:.2f} % in PostgreSQL, {memory:.0f} MB\n"
        )


def ready(url: str) -> None:
    """Wait until it answers."""
    for _ in range(300):
        with suppress(URLError, OSError), urllib.request.urlopen(url) as reply:
            if reply.status == 200:
                return
        time.sleep(0.1)
    raise SystemExit("it does not become ready")


def backends_of(dsn: str) -> list[psutil.Process]:
    """The server's processes that work for the database, but for this question's own."""
    with psycopg.connect(dsn) as connection:
        rows = connection.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        return [psutil.Process(pid) for (pid,) in rows.fetchall()]
