"""The pool of connections, and the ways in which a statement waits for its answer.

No statement waits for ever, and none blocks all connections. A connection can die silently, so each answer has a
timeout. The timeout doubles for the next try, because the operator's function may just be slow. Statements that may
wait for foreign locks leave two connections to the heartbeat and the pauses.

A read-only server counts as away: it is a standby that may be promoted in a moment, and replies wait for it. No
statement is prepared by name or relies on its session, so everything works through PgBouncer in transaction mode.
Plans stay custom, so a LIMIT never turns a claim into a scan.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from typing import TYPE_CHECKING, Any, LiteralString

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import TransactionStatus
from psycopg.rows import tuple_row
from psycopg_pool import AsyncConnectionPool

from retention.errors import ConfigurationError, DatabaseUnreachableError
from retention.ledger.adaptive_timeout import AdaptiveTimeout
from retention.ledger.connect_errors import describe_connect_error
from retention.ledger.database_errors import (
    IS_WRITABLE,
    BusyError,
    ServerUnavailableError,
    classify_error,
    retryable_error,
)
from retention.ledger.lock_waits import FREE_CONNECTION, LockWaits
from retention.ledger.queries import load_queries, query
from retention.ledger.session import CONNECT_TIMEOUT_S, CONNECTION_OPTIONS, Session

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable

    from psycopg.sql import Composed
    from structlog.typing import FilteringBoundLogger

IDLE_TRANSACTION_TIMEOUT_MS = 20_000
"""Milliseconds after which the server ends an idle transaction that has changed rows."""

CONTROL_TIMEOUT_S = 10.0
"""Seconds for the answer to a control statement, which waits for no foreign lock."""

BULK_TIMEOUT_S = 30.0
"""Seconds for the first answer to a bulk statement."""

RESERVED_CONNECTIONS = 2
"""Connections that bulk statements leave to control statements."""


class Database:
    """Runs statements by name on a pool of connections. Rows are named tuples."""

    def __init__(
        self,
        pool: AsyncConnectionPool[Any],
        bulk_slots: asyncio.Semaphore,
        timeout: AdaptiveTimeout | None = None,
        *,
        is_bulk: bool = False,
        durable: bool = False,
        waits: LockWaits | None = None,
    ) -> None:
        self._pool = pool
        self._bulk_slots = bulk_slots
        self._timeout = timeout
        self._is_bulk = is_bulk
        self._durable = durable
        self._waits = waits or LockWaits()

    def bulk(self) -> Database:
        """Return a view for bulk statements: they may wait for foreign locks, so they never use all connections."""
        return Database(self._pool, self._bulk_slots, AdaptiveTimeout(BULK_TIMEOUT_S), is_bulk=True, waits=self._waits)

    def control(self) -> Database:
        """Return a view for control statements, such as heartbeats: they wait for no foreign lock."""
        return Database(self._pool, self._bulk_slots, AdaptiveTimeout(CONTROL_TIMEOUT_S), waits=self._waits)

    def durable(self) -> Database:
        """Return a view for statements whose effect survives a server crash, under any synchronous_commit."""
        return Database(
            self._pool, self._bulk_slots, self._timeout, is_bulk=self._is_bulk, durable=True, waits=self._waits
        )

    @asynccontextmanager
    async def _statement(self, name: str, *, together: bool = False) -> AsyncIterator[Session]:
        """Yield a connection for one statement; in a transaction if it is durable, or if more statements follow it."""
        together = together or self._durable
        async with (
            self._timeout(name) if self._timeout else nullcontext(),
            self._bulk_slots if self._is_bulk else nullcontext(),
            self._session() as session,
            session.transaction_with_settings() if together else session.with_settings(),
        ):
            if self._durable:
                await session.execute(query("session/raise_durability"))
            with session.naming(name):
                yield session

    async def rows(self, name: str, /, **values: Any) -> list[Any]:
        """Run one statement and return its rows."""
        async with self._statement(name) as session:
            cursor = await session.execute(query(name), values)
            return await cursor.fetchall() if cursor.description else []

    async def tuples(self, name: str, /, **values: Any) -> list[tuple[Any, ...]]:
        """Run one statement and return plain tuples, because building named tuples doubles the cost of a row."""
        async with self._statement(name) as session, session.cursor(row_factory=tuple_row) as cursor:
            await cursor.execute(query(name), values)
            return await cursor.fetchall()

    @asynccontextmanager
    async def operator_call(
        self, name: str, /, **values: Any
    ) -> AsyncIterator[tuple[list[tuple[Any, ...]], Transaction]]:
        """Run one statement that calls the operator's function, then reset all settings that the function changed.

        Yields the rows as tuples, and the transaction, which commits after the block.
        """
        async with self._statement(name, together=True) as session:
            async with session.cursor(row_factory=tuple_row) as cursor:
                await cursor.execute(query(name), values)
                rows = await cursor.fetchall()
            await session.reset_settings()
            yield rows, Transaction(session)

    async def row(self, name: str, /, **values: Any) -> Any:
        """Run one statement and return its only row, or None."""
        rows = await self.rows(name, **values)
        return rows[0] if rows else None

    async def count(self, name: str, /, **values: Any) -> int:
        """Run one statement and return the number of rows that it changed or returned."""
        async with self._statement(name) as session:
            cursor: psycopg.AsyncCursor[Any] = await session.execute(query(name), values)
            return cursor.rowcount

    async def writable(self) -> bool:
        """Whether the server accepts writes. Raises one of UNAVAILABLE if it does not answer."""
        async with self._statement("writable") as session:
            row = await (await session.execute(IS_WRITABLE)).fetchone()
        return bool(row and row[0])

    @asynccontextmanager
    async def transaction(self, *, snapshot: bool = False) -> AsyncIterator[Transaction]:
        """Begin a durable transaction; with `snapshot` it only reads, and all its statements see the same moment."""
        async with self._bulk_slots, self._session() as session, session.transaction_with_settings(snapshot=snapshot):
            if not snapshot:  # a frozen or lost process must not hold its locks for long
                await session.execute(query("session/raise_durability"))
                await session.execute(f"SET LOCAL idle_in_transaction_session_timeout = {IDLE_TRANSACTION_TIMEOUT_MS}")
            yield Transaction(session)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Session]:
        """Yield a connection, for work that is more than one statement of sql/queries/."""
        async with self._session() as session, session.with_settings():
            yield session

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[Session]:
        """Yield a connection for statements that refuse a transaction; behind a pooler it lacks our settings."""
        async with self._session() as session:
            yield session

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[Session]:
        """Yield a connection whose errors are classified as unavailable, busy or refused."""
        async with AsyncExitStack() as stack:
            with self._waits.watch(FREE_CONNECTION):
                session = await stack.enter_async_context(self._pool.connection())
            try:
                yield session
            except (ServerUnavailableError, BusyError):
                raise
            except psycopg.Error as error:
                trouble = await classify_error(error, session)
                found = await retryable_error(error, session, trouble)
                if isinstance(found, ServerUnavailableError):
                    # A new connection may reach the primary after a fail-over. A connection that sent a garbled reply
                    # may still hold the rest of it.
                    await session.close()
                if found is not None:
                    raise found from error
                raise


class Transaction:
    """Runs statements in one open transaction."""

    def __init__(self, connection: Session, text: Callable[[str], LiteralString] | None = None) -> None:
        self._connection = connection
        self._text = text or query

    def with_texts(self, text: Callable[[str], LiteralString]) -> Transaction:
        """Return this transaction for statements with other texts, by their names."""
        return Transaction(self._connection, text)

    async def rows(self, name: str, /, **values: Any) -> list[Any]:
        """Run one statement and return its rows."""
        with self._connection.naming(name):
            cursor = await self._connection.execute(self._text(name), values)
            return await cursor.fetchall() if cursor.description else []

    async def row(self, name: str, /, **values: Any) -> Any:
        """Run one statement and return its only row, or None."""
        rows = await self.rows(name, **values)
        return rows[0] if rows else None

    async def run(self, statement: LiteralString | Composed) -> None:
        """Run a SET LOCAL, or another command without a result."""
        await self._connection.execute(statement)

    async def copy_in(self, command: LiteralString, blocks: AsyncIterator[bytes]) -> None:
        """Run a COPY FROM STDIN with these blocks."""
        async with self._connection.cursor().copy(command) as copy:
            async for block in blocks:
                await copy.write(block)

    async def composed(self, statement: Composed) -> list[Any]:
        """Run a composed statement within a savepoint: its failure leaves the transaction as it was."""
        async with self._connection.transaction():
            return await (await self._connection.execute(statement)).fetchall()

    async def stream(self, name: str, /, **values: Any) -> AsyncGenerator[Any, None]:
        """Run one statement and yield its rows as they arrive, with at most a thousand in memory.

        The cursor is declared and read by statements: Pgpool-II cannot describe one, as the driver's own would have it.
        """
        async with self._connection.cursor() as cursor:
            with self._connection.naming(name):
                await cursor.execute("DECLARE retention_stream NO SCROLL CURSOR FOR " + self._text(name), values)
            try:
                while rows := await (await cursor.execute("FETCH FORWARD 1000 FROM retention_stream")).fetchall():
                    for row in rows:
                        yield row
            finally:
                if self._connection.info.transaction_status == TransactionStatus.INTRANS:
                    await cursor.execute("CLOSE retention_stream")


@asynccontextmanager
async def open_database(
    dsn: Callable[[], str], size: int = 4, log: FilteringBoundLogger | None = None
) -> AsyncIterator[Database]:
    """Open a pool of `size` connections. `dsn` is read again for each; an empty one leaves it to libpq's environment.

    `log` gets a line for each long wait. Raises ConfigurationError for a malformed dsn, and DatabaseUnreachableError if
    no connection can be opened.
    """
    try:
        conninfo_to_dict(dsn())
    except psycopg.ProgrammingError:
        # libpq quotes the string, and the string may hold a password.
        raise ConfigurationError(
            "database.dsn: not a PostgreSQL connection string; write postgresql://USER@HOST/DATABASE",
        ) from None
    load_queries()  # a new version may replace the package's files while this process runs
    waits = LockWaits(log, dsn)
    options = {**CONNECTION_OPTIONS, "waits": waits}
    try:
        session = await Session.connect(dsn(), **options)
        await session.close()
    except psycopg.OperationalError as error:
        raise DatabaseUnreachableError(f"the database cannot be reached: {describe_connect_error(error)}") from None
    pool = AsyncConnectionPool(
        dsn,
        connection_class=Session,
        kwargs=options,
        min_size=1,
        max_size=size,
        timeout=CONNECT_TIMEOUT_S,
        # The pool's own pauses double with each failure, for minutes: longer than an outage lasts. It gives up instead
        # as early as a statement does, and the next statement has it begin anew.
        reconnect_timeout=CONNECT_TIMEOUT_S,
        open=False,
    )
    await pool.open()
    try:
        yield Database(pool, asyncio.Semaphore(max(1, size - RESERVED_CONNECTIONS)), waits=waits)
    finally:
        # A silent server must not delay the end of the process.
        await asyncio.shield(pool.close(timeout=2))
