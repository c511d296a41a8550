"""PgBouncer in transaction mode, between the tests and their PostgreSQL."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from psycopg.conninfo import make_conninfo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MISSING = "there is no pgbouncer here; install the package pgbouncer"

CONSOLE = "pgbouncer"
"""The name of PgBouncer's own console: it answers SHOW POOLS and the like."""

_PORT = 6432  # of a socket in a directory of its own, so that no other process has it

# The narrow pool makes clients share connections, and the round robin makes each client's transactions go from one
# connection to the next: whatever was left in a session is soon missed by one client and found by another.
_CONFIGURATION = """\
[databases]
* = host='{host}' port={port} auth_user='{user}'

[pgbouncer]
unix_socket_dir = {directory}
listen_port = {own_port}
pool_mode = transaction
default_pool_size = {pool_size}
server_round_robin = 1
; Where a test keeps a lock, all of the pool may wait for it; the test itself gets one more connection after a second.
reserve_pool_size = {reserve}
reserve_pool_timeout = 1
; Whoever comes is let in by the name that is given: whether there is such a role, the server knows.
auth_type = trust
auth_file = {directory}/users
auth_query = SELECT $1::text, ''::text
admin_users = {user}
; A test that asks for a database that is not there must not make the next one wait.
server_login_retry = 0.1
log_connections = 0
log_disconnections = 0
{more}
"""


def wanted() -> bool:
    """Whether the tests are to go through it: RETENTION_TEST_PGBOUNCER=1."""
    return os.environ.get("RETENTION_TEST_PGBOUNCER", "0") not in {"", "0"}


def program() -> str | None:
    """Where it is, if it is installed; Debian has it where only root looks."""
    return shutil.which("pgbouncer", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")


@cache
def pgbouncer_version() -> tuple[int, ...] | None:
    """Its version, such as (1, 18, 0); None where it is not installed."""
    installed = program()
    if installed is None:
        return None
    said = subprocess.run([installed, "--version"], capture_output=True, text=True, check=True).stdout
    return tuple(int(part) for part in said.split()[1].split("."))


@contextmanager
def running_pgbouncer(server: str, *, pool_size: int = 4, reserve: int = 6, more: str = "") -> Iterator[str]:
    """Yield a DSN that leads to the server through a PgBouncer with so many connections to each database and role.

    Any database is reached by its name, as any role that the server lets in without a password. `more`: lines of its
    configuration.
    """
    installed = program()
    if installed is None:
        raise RuntimeError(MISSING)
    with psycopg.connect(server) as connection:
        found = connection.info
        host, port, user, password, database = found.host, found.port, found.user, found.password, found.dbname
    directory = Path(tempfile.mkdtemp(prefix="retention-pgbouncer-"))
    try:
        values = {"host": host, "port": port, "user": user, "directory": directory, "own_port": _PORT}
        configuration = _CONFIGURATION.format(**values, pool_size=pool_size, reserve=reserve, more=more)
        (directory / "pgbouncer.ini").write_text(configuration, "utf-8")
        (directory / "users").write_text(" ".join('"' + word.replace('"', '""') + '"' for word in (user, password)))
        owner = _owner(host, port) if os.geteuid() == 0 else None
        if owner is not None:
            for path in (directory, *directory.iterdir()):
                shutil.chown(path, owner)
        with (directory / "log").open("wb") as log:
            command = (installed, str(directory / "pgbouncer.ini"))
            with _kept_up(lambda: subprocess.Popen(command, user=owner, stderr=log)) as first:
                _wait_for(first, directory)
                yield make_conninfo(host=str(directory), port=_PORT, user=user, dbname=database)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _owner(host: str, port: int) -> str | int:
    """Whom to run it as in root's stead, whose it refuses to be: one who surely gets at the server's socket."""
    return (Path(host) / f".s.PGSQL.{port}").stat().st_uid if host.startswith("/") else "nobody"


@contextmanager
def _kept_up(start: Callable[[], subprocess.Popen[bytes]]) -> Iterator[subprocess.Popen[bytes]]:
    """Start it and, as its service manager would, start it again each time that it ends by itself.

    1.18 is known to, where statements are cancelled under load (pgbouncer/pgbouncer#822).
    """
    process = first = start()
    closing, changing = False, threading.Lock()

    def keep_up() -> None:
        nonlocal process
        while True:
            process.wait()
            with changing:
                if closing:
                    return
                process = start()

    keeper = threading.Thread(target=keep_up, name="pgbouncer")
    keeper.start()
    try:
        yield first
    finally:
        with changing:
            closing = True
            process.kill()  # it has nothing to lose, and its newer versions take SIGTERM as leave to wait for clients
        keeper.join()


def _wait_for(process: subprocess.Popen[bytes], directory: Path) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        while client.connect_ex(str(directory / f".s.PGSQL.{_PORT}")) != 0:
            if process.poll() is not None:
                raise RuntimeError(f"pgbouncer did not start: {(directory / 'log').read_text('utf-8')}")
            time.sleep(0.01)
