"""A primary and its synchronous standby: each commit is on both, and either server may be lost."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import psycopg

from retention.ledger.database import open_database
from retention.ledger.migrations import migrate
from support.bare_database import sample
from support.losses import Loss
from support.postgres import OPERATOR
from support.postgres_node import Node, installed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

JOB = "retention_job"
"""The role of the replicas: it has the rights that it needs, and none of the reserved connections."""


class Cluster:
    """`primary` is the present one. `moved` gets the path of its socket at each change; None: no server.

    `losses`: when it lost commits that it had reported.
    """

    def __init__(self, moved: Callable[[str | None], None]) -> None:
        self._programs = installed()
        self._moved = moved
        self.primary = Node(*self._programs)
        self.standby: Node | None = None
        self.losses: list[Loss] = []

    async def make(self) -> None:
        """Start it: our schema, an operator's rounds table, both empty, and the job's role."""
        await self.primary.make()
        await self.primary.start()
        async with open_database(self.primary.dsn, size=1) as database:
            await migrate(database)
        for script in (OPERATOR.read_text("utf-8"), sample("roles"), f"GRANT SELECT, UPDATE ON public.rounds TO {JOB}"):
            await self.primary.sql(script)
        await self._attach()
        self._moved(self.primary.socket)

    async def remove(self) -> None:
        """Leave nothing of it."""
        for node in (self.primary, self.standby):
            if node is not None:
                await node.remove()

    async def crash(self) -> None:
        """Stop the primary as a power cut does, and start it again."""
        await self.primary.stop()
        await self.primary.start()

    async def fail_over(self, *, lagging: float | None = None) -> None:
        """Lose the primary for good: the standby takes over, and a new standby is made for the next time.

        `lagging`: no COMMIT waits for the standby, and the last so many seconds are lost with the primary.
        """
        await self._caught_up()
        old, new, since = self.primary, self.standby, datetime.now(UTC)
        assert new is not None
        if lagging is not None:
            await old.sql("ALTER SYSTEM RESET synchronous_standby_names")
            await old.sql("SELECT pg_reload_conf()")
            await new.sql("ALTER SYSTEM SET primary_conninfo = ''")
            await new.sql("SELECT pg_reload_conf()")
            while await new.sql("SELECT FROM pg_stat_wal_receiver"):
                await asyncio.sleep(0.02)
            await asyncio.sleep(lagging)
        self._moved(None)
        await old.stop()  # two that take each other's clients would be two truths
        if lagging is not None:
            self.losses.append(Loss(since, datetime.now(UTC)))
        await new.promote()
        self.primary, self.standby = new, None
        # Until it has a standby itself, its commits are on it alone: it may not be lost until then.
        await new.sql("ALTER SYSTEM RESET synchronous_standby_names")
        await new.sql("SELECT pg_reload_conf()")
        self._moved(new.socket)
        await old.remove()
        await self._attach()

    async def _attach(self) -> None:
        """Make a standby, and have each COMMIT wait for it from now on."""
        standby = Node(*self._programs)
        try:
            await standby.copy(self.primary)
            await standby.start()
        except BaseException:
            await standby.remove()
            raise
        self.standby = standby
        await self.primary.sql("ALTER SYSTEM SET synchronous_standby_names = 'standby'")
        await self.primary.sql("SELECT pg_reload_conf()")
        await self._caught_up()

    async def _caught_up(self) -> None:
        """Wait until all that anybody may have seen on the primary is on the standby too."""
        ((seen,),) = await self.primary.sql("SELECT pg_current_wal_flush_lsn()")
        while not await self.primary.sql(
            f"SELECT FROM pg_stat_replication WHERE sync_state = 'sync' AND flush_lsn >= '{seen}'"
        ):
            await asyncio.sleep(0.02)

    @asynccontextmanager
    async def full_disk(self) -> AsyncIterator[None]:
        """Fill the WAL's disk; in the end it has room again, and the server is restarted."""
        node = self.primary
        node.fill_disk()
        try:
            yield
        finally:
            node.free_disk()
            # It may end by itself just now, or may have: it starts anew in either case.
            await node.stop()
            await node.start()

    @asynccontextmanager
    async def connections_taken(self, *, by_role: bool) -> AsyncIterator[None]:
        """Have no connection left: other clients have all of the server's or, `by_role`, the role may have none."""
        async with AsyncExitStack() as stack:
            if by_role:
                await self.primary.sql(f"ALTER ROLE {JOB} CONNECTION LIMIT 0")
                stack.push_async_callback(self._lift)
            await self._end_connections()
            while not by_role:
                try:
                    taken = await psycopg.AsyncConnection.connect(self.primary.dsn(JOB), connect_timeout=5)
                except psycopg.OperationalError:
                    break
                stack.push_async_callback(taken.close)
            yield

    async def _lift(self) -> None:
        with suppress(psycopg.OperationalError):
            await self.primary.sql(f"ALTER ROLE {JOB} CONNECTION LIMIT -1")

    async def _end_connections(self) -> None:
        await self.primary.sql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{JOB}'")


@asynccontextmanager
async def cluster(moved: Callable[[str | None], None] = lambda _: None) -> AsyncIterator[Cluster]:
    """Yield a cluster that is up."""
    made = Cluster(moved)
    try:
        await made.make()
        yield made
    finally:
        await made.remove()
