"""A primary and an asynchronous standby, on which plans may read the operator's view."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from retention.ledger.database import open_database
from retention.ledger.migrations import migrate
from support.bare_database import sample
from support.cluster import JOB
from support.postgres import OPERATOR
from support.postgres_node import Node, installed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from support.world import Done, World

TEMPLATE = "operator_template"
"""The database that each test's own is a copy of."""

POLL_S = 0.02


class ReadPair:
    """`primary` has the databases of the tests, and `standby` follows it; no COMMIT waits for the standby."""

    def __init__(self) -> None:
        self.primary, self.standby = Node(*installed()), Node(*installed())
        self._names = (f"operator{number}" for number in itertools.count())

    async def make(self) -> None:
        """Start both: our schema, an operator's rounds table, both empty, and the job's role."""
        await self.primary.make()
        await self.primary.start()
        await self.primary.sql(f"CREATE DATABASE {TEMPLATE}")
        dsn = make_conninfo(self.primary.dsn(), dbname=TEMPLATE)
        async with open_database(lambda: dsn, size=1) as database:
            await migrate(database)
        for script in (OPERATOR.read_text("utf-8"), sample("roles"), f"GRANT SELECT, UPDATE ON public.rounds TO {JOB}"):
            await self.run(dsn, script)
        await self.standby.copy(self.primary)
        await self.standby.start()

    async def remove(self) -> None:
        """Leave nothing of them."""
        await self.standby.remove()
        await self.primary.remove()

    @asynccontextmanager
    async def database(self) -> AsyncIterator[str]:
        """Yield the name of a database of a test's own, on both."""
        name = next(self._names)
        await self.primary.sql(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
        await self.caught_up()
        try:
            yield name
        finally:
            await self.standby.sql("SELECT pg_wal_replay_resume()")
            await self.primary.sql(f"DROP DATABASE {name} WITH (FORCE)")

    async def caught_up(self) -> None:
        """Wait until the standby has replayed all that the primary has committed."""
        ((position,),) = await self.primary.sql("SELECT pg_current_wal_flush_lsn()")
        await self.until(f"SELECT FROM (SELECT 1) one WHERE pg_last_wal_replay_lsn() >= '{position}'")

    async def until(self, statement: str) -> None:
        """Wait until a statement on the standby returns a row."""
        while not await self.standby.sql(statement):
            await asyncio.sleep(POLL_S)

    @asynccontextmanager
    async def paused(self) -> AsyncIterator[None]:
        """Have the standby replay nothing: it falls behind."""
        await self.caught_up()
        await self.standby.sql("SELECT pg_wal_replay_pause()")
        await self.until("SELECT FROM (SELECT 1) one WHERE pg_get_wal_replay_pause_state() = 'paused'")
        try:
            yield
        finally:
            await self.standby.sql("SELECT pg_wal_replay_resume()")

    @staticmethod
    async def run(dsn: str, statement: str) -> list[tuple[Any, ...]]:
        """Run a statement as superuser."""
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
            cursor = await connection.execute(sql.SQL(statement))
            return await cursor.fetchall() if cursor.description is not None else []


def reading(dsn: str) -> dict[str, str]:
    """The environment of a command that plans on this server."""
    return {"RETENTION_DATABASE__READ_DSN": dsn}


def events(done: Done, name: str) -> list[dict[str, Any]]:
    """The lines of a command's log with this event."""
    return [event for event in done.events if event["event"] == name]


async def why_primary(world: World, environ: dict[str, str]) -> str:
    """Why the view is read on the primary: a warning, since no run fails for it."""
    finding = await checked(world, environ)
    assert finding["warning"]
    server, _, why = str(finding["message"]).partition(": ")
    assert "the view was read on the primary, and not on the replica of read_dsn" == server
    return why


async def checked(world: World, environ: dict[str, str]) -> dict[str, Any]:
    """The finding of `check` about the replica. No finding fails."""
    done = await world.command("check", "--json", environ=environ)
    assert 0 == done.code, done.out
    (finding,) = [one for one in done.json["checks"] if one["name"] == "replica"]
    return dict(finding)
