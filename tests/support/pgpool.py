"""Pgpool-II before a primary and a replica that is a minute behind."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from psycopg.conninfo import make_conninfo

from support.postgres_node import installed
from support.replica import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.postgres_node import Node

MISSING = "there is no pgpool here; install the package pgpool2, or name the program in RETENTION_TEST_PGPOOL"

_CONFIGURATION = """\
listen_addresses = '127.0.0.1'
port = {port}
socket_dir = '{directory}'
pcp_socket_dir = '{directory}'
pcp_port = {pcp_port}
pid_file_name = '{directory}/pid'
work_dir = '{directory}'
logdir = '{directory}'
backend_clustering_mode = 'streaming_replication'
backend_hostname0 = '{primary}'
backend_port0 = 5432
backend_weight0 = 0
backend_flag0 = 'ALWAYS_PRIMARY|DISALLOW_TO_FAILOVER'
backend_hostname1 = '{replica}'
backend_port1 = 5432
backend_weight1 = 1
backend_flag1 = 'DISALLOW_TO_FAILOVER'
sr_check_period = 0
health_check_period = 0
num_init_children = 24
max_pool = 2
enable_pool_hba = off
pool_passwd = ''

{more}
"""


def program() -> list[str] | None:
    """The command of Pgpool-II, if it is installed."""
    if named := os.environ.get("RETENTION_TEST_PGPOOL"):
        return shlex.split(named)
    found = shutil.which("pgpool", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
    return [found] if found else None


@contextmanager
def running_pgpool(primary: Node, replica: Node, more: str) -> Iterator[str]:
    """Yield a DSN that leads to both servers through a Pgpool-II; all weight of its balancing is on the replica."""
    command = program()
    if command is None:
        raise RuntimeError(MISSING)
    directory, user = Path(tempfile.mkdtemp(prefix="retention-pgpool-")), installed()[1]
    port = free_port()
    try:
        text = _CONFIGURATION.format(
            port=port,
            pcp_port=free_port(),
            directory=directory,
            primary=primary.folder,
            replica=replica.folder,
            more=more,
        )
        (directory / "pgpool.conf").write_text(text, "utf-8")
        if user is not None:
            shutil.chown(directory, user)
        words = ("-n", "-f", str(directory / "pgpool.conf"), "-F", str(directory / "pcp"), "-a", str(directory / "hba"))
        with (
            (directory / "log").open("wb") as log,
            subprocess.Popen([*command, *words], stdout=log, stderr=log, user=user, cwd=directory) as process,
        ):
            dsn = make_conninfo(host="127.0.0.1", port=port, dbname="postgres", sslmode="disable", gssencmode="disable")
            try:
                _wait_for(process, make_conninfo(dsn, user="postgres"), directory / "log")
                yield dsn
            finally:
                process.send_signal(2)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _wait_for(process: subprocess.Popen[bytes], dsn: str, log: Path) -> None:
    while True:
        assert process.poll() is None, log.read_text("utf-8")
        try:
            psycopg.connect(dsn, connect_timeout=5).close()
        except psycopg.OperationalError:
            continue
        return
