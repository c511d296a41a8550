"""One connection: what our statements rely on is set, and long waits are told."""

from __future__ import annotations

from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING, Any, LiteralString, Self, TypeVar

import psycopg
from psycopg.rows import namedtuple_row, tuple_row

from retention.ledger.database_errors import ReadOnlyError, first_line
from retention.ledger.lock_waits import CONNECTING, LockWaits
from retention.ledger.queries import query

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from psycopg.abc import PQGen

RV = TypeVar("RV")

CONNECT_TIMEOUT_S = 5
"""Seconds."""

# Every statement stands alone (autocommit) or in an explicit transaction, none is prepared by name, and nothing is
# kept in a session that others use: so all of it works through PgBouncer in transaction mode.
CONNECTION_OPTIONS: dict[str, Any] = {
    "autocommit": True,
    "prepare_threshold": None,
    "row_factory": namedtuple_row,
    "application_name": "retention",
    "client_encoding": "UTF8",  # whatever the environment asks for: a vendor may say anything
    "connect_timeout": CONNECT_TIMEOUT_S,
    # A host that is gone without a word is found out in half a minute, and not in the quarter of an hour that is usual.
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 4,
    "tcp_user_timeout": 30_000,
}


_SNAPSHOT: LiteralString = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY NOT DEFERRABLE"
_WRITES: LiteralString = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE NOT DEFERRABLE"
_READS: LiteralString = "BEGIN ISOLATION LEVEL READ COMMITTED NOT DEFERRABLE"
"""On a standby, which refuses the other, and not what only reads."""


class Session(psycopg.AsyncConnection[Any]):
    """A connection on which nothing depends on the defaults of the operator's server, database or role.

    What our statements rely on is set once, for the session. Where a pooler stands between, each transaction may be in
    another session, which others use as well: there it is set at the begin of each transaction, and each statement has
    one (`framed`).
    """

    waits = LockWaits()
    statement: str | None = None
    """The statement that is sent, by its name; None for BEGIN, COMMIT and the like."""
    pooled = False
    standby = False

    @classmethod
    async def connect(  # type: ignore[override]
        cls, conninfo: str = "", *, waits: LockWaits | None = None, **options: Any
    ) -> Self:
        """Connect, and set what our statements rely on. `waits` tells of whatever takes long."""
        waits = waits or LockWaits()
        with waits.watch(CONNECTING):
            session = await super().connect(conninfo, **options)
        session.waits = waits
        try:
            await session.apply_settings()
        except BaseException:
            await session.close()
            raise
        return session

    async def apply_settings(self) -> None:
        """Set what our statements rely on, and find out who answers."""
        values = {"pid": self.info.backend_pid}
        async with self.cursor(row_factory=tuple_row) as cursor:
            if psycopg.AsyncPipeline.is_supported():  # one message: no limit of the session's holds for any of it
                async with self.pipeline():
                    await self.execute("BEGIN")
                    await self.execute("SET LOCAL statement_timeout = 0")
                    await cursor.execute(query("session/begin_session"), values)
                    await self.execute("COMMIT")
            else:
                await cursor.execute(query("session/begin_session"), values)
            [(self.pooled, self.standby, _)] = await cursor.fetchall()

    async def wait(self, gen: PQGen[RV], *how: Any, **named: Any) -> RV:
        """Wait for the server, as every statement does; tell of it where that takes long."""
        with self.waits.watch(self.statement, self):
            return await super().wait(gen, *how, **named)

    @contextmanager
    def naming(self, name: str) -> Iterator[None]:
        """Call what is done within it by this name, should it take long."""
        self.statement = name
        try:
            yield
        finally:
            self.statement = None

    @asynccontextmanager
    async def with_settings(self) -> AsyncIterator[None]:
        """Give what is done within it a transaction where its settings hold only for one."""
        if not self.pooled:
            yield
            return
        async with self.transaction_with_settings():
            yield

    @asynccontextmanager
    async def transaction_with_settings(self, *, snapshot: bool = False) -> AsyncIterator[None]:
        """Be in a transaction in which what our statements rely on holds; with `snapshot` all see the same moment."""
        if self.pooled:
            async with self._pooled_transaction(_SNAPSHOT if snapshot else _READS if self.standby else _WRITES):
                yield
            return
        async with self.transaction():
            if snapshot:
                await self.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield

    @asynccontextmanager
    async def _pooled_transaction(self, begin: LiteralString) -> AsyncIterator[None]:
        """Begin, and set what our statements rely on, all in one message: the session's own limits hold until then."""
        try:
            await self.execute(begin + "; SET LOCAL statement_timeout = 0;" + query("session/begin_pooled"))
        except psycopg.errors.FeatureNotSupported as error:
            self.standby = True  # the pooler leads to another server now
            raise ReadOnlyError(f"the server is a standby now: {first_line(error)}") from error
        try:
            yield
        except BaseException:
            with suppress(psycopg.Error):
                await self.execute("ROLLBACK")
            raise
        await self.execute("COMMIT")

    async def reset_settings(self) -> None:
        """Within a transaction, undo what the operator's function has set."""
        await self.execute(query("session/reset_pooled" if self.pooled else "session/reset_session"))
