"""One connection: it sets the session settings that our statements need, and reports long waits.

`shared/session_settings.sql` sets everything that our statements rely on, once per session. When another backend
answers than the one that was connected, a pooler stands between. The settings are then sent with the message that
begins each transaction, and again after the operator's function; each statement has a transaction.

That costs two round trips per statement behind a pooler, and none elsewhere; a startup option would be refused or
ignored by poolers. TimeZone, search_path, role and string syntax stay untouched, because the operator's view and
function may rely on them.
"""

from __future__ import annotations

from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING, Any, LiteralString, Self, TypeVar

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import namedtuple_row, tuple_row

from retention.ledger.database_errors import ReadOnlyError, first_line
from retention.ledger.lock_waits import CONNECTING, LockWaits
from retention.ledger.queries import query
from retention.ledger.server_kind import refuse_by_parameters, refuse_by_version

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from psycopg.abc import PQGen

RV = TypeVar("RV")

CONNECT_TIMEOUT_S = 5
"""Seconds."""

# PgBouncer in transaction mode gives each transaction another session. Each statement therefore runs alone (autocommit)
# or in an explicit transaction, and none is prepared by name.
CONNECTION_OPTIONS: dict[str, Any] = {
    "autocommit": True,
    "prepare_threshold": None,
    "row_factory": namedtuple_row,
    "application_name": "retention",
    "client_encoding": "UTF8",  # never the environment's: a vendor's text may have any character
    "connect_timeout": CONNECT_TIMEOUT_S,
    # A dead host is detected in half a minute instead of the usual quarter of an hour.
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 4,
    "tcp_user_timeout": 30_000,
}


_SNAPSHOT: LiteralString = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY NOT DEFERRABLE"
_WRITES: LiteralString = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE NOT DEFERRABLE"
_READS: LiteralString = "BEGIN ISOLATION LEVEL READ COMMITTED NOT DEFERRABLE"
"""For a standby, which accepts only transactions that read."""


class Session(psycopg.AsyncConnection[Any]):
    """A connection that is independent of the defaults of the operator's server, database and role.

    It sets its settings once per session. Behind a pooler each transaction may use another, shared session: there it
    sets them at the start of each transaction, and each statement has a transaction (`with_settings`).
    """

    waits = LockWaits()
    statement: str | None = None
    """The name of the running statement; None for BEGIN, COMMIT and the like."""
    pooled = False
    standby = False

    @classmethod
    async def connect(  # type: ignore[override]
        cls, conninfo: str = "", *, waits: LockWaits | None = None, **options: Any
    ) -> Self:
        """Connect and apply our settings. `waits` reports long waits.

        Raises UnsuitableServerError for a server that is not a PostgreSQL of ours, before any other statement.
        """
        waits = waits or LockWaits()
        with waits.watch(CONNECTING):
            session = await super().connect(conninfo, **options)
        session.waits = waits
        try:
            refuse_by_parameters(session.info.parameter_status, session.info.server_version)
            try:
                await session.apply_settings()
            except psycopg.Error:
                await session.refuse_by_version()  # such a server may not know our settings
                raise
        except BaseException:
            await session.close()
            raise
        return session

    async def apply_settings(self) -> None:
        """Apply our settings, and detect a pooler and a standby."""
        values = {"pid": self.info.backend_pid}
        async with self.cursor(row_factory=tuple_row) as cursor:
            if psycopg.AsyncPipeline.is_supported():  # one message: no limit of the session applies to it
                async with self.pipeline():
                    await self.execute("BEGIN")
                    await self.execute("SET LOCAL statement_timeout = 0")
                    await cursor.execute(query("session/begin_session"), values)
                    await self.execute("COMMIT")
            else:
                await cursor.execute(query("session/begin_session"), values)
            [(self.pooled, self.standby, version, _)] = await cursor.fetchall()
        refuse_by_version(version)

    async def refuse_by_version(self) -> None:
        """Ask the server for its version after it refused our settings; it may give no answer.

        Raises UnsuitableServerError where it is not PostgreSQL.
        """
        with suppress(psycopg.Error):
            if self.info.transaction_status != TransactionStatus.IDLE:
                await self.execute("ROLLBACK")
            async with self.cursor(row_factory=tuple_row) as cursor:
                await cursor.execute("SELECT version()")
                [(version,)] = await cursor.fetchall()
                refuse_by_version(version)

    async def wait(self, gen: PQGen[RV], *how: Any, **named: Any) -> RV:
        """Wait for the server, as every statement does, and report a long wait."""
        with self.waits.watch(self.statement, self):
            return await super().wait(gen, *how, **named)

    @contextmanager
    def naming(self, name: str) -> Iterator[None]:
        """Name the statements of this context, for reports of long waits."""
        self.statement = name
        try:
            yield
        finally:
            self.statement = None

    @asynccontextmanager
    async def with_settings(self) -> AsyncIterator[None]:
        """Behind a pooler, open a transaction that has our settings; else do nothing."""
        if not self.pooled:
            yield
            return
        async with self.transaction_with_settings():
            yield

    @asynccontextmanager
    async def transaction_with_settings(self, *, snapshot: bool = False) -> AsyncIterator[None]:
        """Open a transaction that has our settings; with `snapshot` all its statements see the same moment."""
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
        """Begin and apply our settings in one message, because the session's own limits apply until then."""
        try:
            await self.execute(begin + "; SET LOCAL statement_timeout = 0;" + query("session/begin_pooled"))
        except psycopg.errors.FeatureNotSupported as error:
            self.standby = True  # the pooler now connects to another server
            raise ReadOnlyError(f"the server is a standby now: {first_line(error)}") from error
        try:
            yield
        except BaseException:
            with suppress(psycopg.Error):
                await self.execute("ROLLBACK")
            raise
        await self.execute("COMMIT")

    async def reset_settings(self) -> None:
        """Within a transaction, reset the settings that the operator's function changed."""
        await self.execute(query("session/reset_pooled" if self.pooled else "session/reset_session"))
