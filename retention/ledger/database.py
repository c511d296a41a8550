"""Connections, and whose fault it is where one cannot be had."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import namedtuple_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from retention.errors import ConfigurationError, DatabaseUnreachableError
from retention.ledger.queries import query

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable

CONNECT_TIMEOUT = 5
"""Seconds."""

IDLE_MS = 20_000
"""Milliseconds after which the server ends a transaction that changes something and from which nothing comes."""

# Every statement stands alone (autocommit) or in an explicit transaction, none is prepared by name, and nothing is
# kept in a session: so all of it works through PgBouncer in transaction mode.
_OPTIONS: dict[str, Any] = {
    "autocommit": True,
    "prepare_threshold": None,
    "row_factory": namedtuple_row,
    "application_name": "retention",
    "connect_timeout": CONNECT_TIMEOUT,
}

AWAY = (psycopg.OperationalError, psycopg.errors.IdleInTransactionSessionTimeout, PoolTimeout)
"""The errors after which the same statement may succeed: the server is away, or asks to try again."""


class Database:
    """A pool of connections. Rows come as named tuples."""

    def __init__(self, pool: AsyncConnectionPool[Any]) -> None:
        self._pool = pool

    async def rows(self, name: str, **values: Any) -> list[Any]:
        """Run one statement and return its rows."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(query(name), values)
            return await cursor.fetchall() if cursor.description else []

    async def row(self, name: str, **values: Any) -> Any:
        """Run one statement and return its only row, or None."""
        rows = await self.rows(name, **values)
        return rows[0] if rows else None

    async def count(self, name: str, **values: Any) -> int:
        """Run one statement and return how many rows it changed or returned."""
        async with self._pool.connection() as connection:
            cursor: psycopg.AsyncCursor[Any] = await connection.execute(query(name), values)
            return cursor.rowcount

    @asynccontextmanager
    async def transaction(self, *, snapshot: bool = False) -> AsyncIterator[Transaction]:
        """Several statements, together or not at all; with `snapshot` they only read, and all see the same moment."""
        async with self._pool.connection() as connection, connection.transaction():
            if snapshot:
                await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            else:  # others wait for what it changes, and its process may have frozen, or its machine be gone
                await connection.execute(f"SET LOCAL idle_in_transaction_session_timeout = {IDLE_MS}")
            yield Transaction(connection)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
        """A connection, for what is no single statement of sql/queries/."""
        async with self._pool.connection() as connection:
            yield connection


class Transaction:
    """The statements of one transaction."""

    def __init__(self, connection: psycopg.AsyncConnection[Any]) -> None:
        self._connection = connection

    async def rows(self, name: str, **values: Any) -> list[Any]:
        """Run one statement and return its rows."""
        cursor = await self._connection.execute(query(name), values)
        return await cursor.fetchall() if cursor.description else []

    async def row(self, name: str, **values: Any) -> Any:
        """Run one statement and return its only row, or None."""
        rows = await self.rows(name, **values)
        return rows[0] if rows else None

    async def stream(self, name: str, **values: Any) -> AsyncGenerator[Any, None]:
        """Run one statement and hand its rows over as they come, a thousand in memory at a time."""
        async with self._connection.cursor(name="retention_stream") as cursor:
            cursor.itersize = 1000
            await cursor.execute(query(name), values)
            async for row in cursor:
                yield row


@asynccontextmanager
async def open_database(dsn: Callable[[], str], size: int = 4) -> AsyncIterator[Database]:
    """Connect. `dsn` is asked anew for each connection; an empty one leaves it to libpq's own environment.

    Raises ConfigurationError for a dsn that is none, DatabaseUnreachableError where no connection can be had.
    """
    try:
        conninfo_to_dict(dsn())
    except psycopg.ProgrammingError:
        # libpq quotes the string, and the string may hold a password.
        raise ConfigurationError(
            "database.dsn: not a PostgreSQL connection string; write postgresql://USER@HOST/DATABASE",
        ) from None
    try:
        connection = await psycopg.AsyncConnection.connect(dsn(), **_OPTIONS)
        await connection.close()
    except psycopg.OperationalError as error:
        raise DatabaseUnreachableError(f"the database cannot be reached: {_first_line(error)}") from None
    pool = AsyncConnectionPool(dsn, kwargs=_OPTIONS, min_size=1, max_size=size, timeout=CONNECT_TIMEOUT, open=False)
    await pool.open()
    try:
        yield Database(pool)
    finally:
        # A server that does not answer must not hold up the end of the process.
        await asyncio.shield(pool.close(timeout=2))


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
