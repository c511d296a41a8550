"""Connections, and whose fault it is where one cannot be had."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import namedtuple_row, tuple_row
from psycopg_pool import AsyncConnectionPool

from retention.core.database_trouble import Trouble
from retention.errors import ConfigurationError, DatabaseUnreachableError
from retention.ledger.queries import load_queries, query
from retention.ledger.trouble import (
    ASK,
    AwayError,
    BusyError,
    EndedError,
    NoAnswerError,
    first_line,
    session_ended,
    trouble_with,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable

CONNECT_TIMEOUT = 5
"""Seconds."""

IDLE_MS = 20_000
"""Milliseconds after which the server ends a transaction that changes something and from which nothing comes."""

# Every statement stands alone (autocommit) or in an explicit transaction, none is prepared by name, and nothing is
# kept in a session: so all of it works through PgBouncer in transaction mode.
CONNECTION_OPTIONS: dict[str, Any] = {
    "autocommit": True,
    "prepare_threshold": None,
    "row_factory": namedtuple_row,
    "application_name": "retention",
    "client_encoding": "UTF8",  # whatever the environment asks for: a vendor may say anything
    "connect_timeout": CONNECT_TIMEOUT,
    # A host that is gone without a word is found out in half a minute, and not in the quarter of an hour that is usual.
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 4,
    "tcp_user_timeout": 30_000,
}

PROMPT = 10.0
"""Seconds for the answer to a statement that waits for nobody."""

PATIENCE = 30.0
"""Seconds for the answer to any other, at first."""

LONGEST = 600.0
"""Seconds for it at the most."""

SPARE = 2
"""Connections that statements which may wait for others' locks leave to those which do not."""


class Patience:
    """How long an answer is waited for. Each time that this was too short it is doubled, for that statement.

    A connection may be gone without a word. But the statement may as well be slow, and has to succeed in the end.
    """

    def __init__(self, seconds: float) -> None:
        self._first = seconds
        self._seconds: dict[str, float] = {}

    @asynccontextmanager
    async def __call__(self, name: str) -> AsyncIterator[None]:
        """Raise NoAnswerError where the statement of this name takes too long."""
        seconds = self._seconds.get(name, self._first)
        try:
            async with asyncio.timeout(seconds):
                yield
        except TimeoutError:
            self._seconds[name] = min(2 * seconds, LONGEST)
            raise NoAnswerError(f"no answer for {seconds:.0f} s") from None


class Database:
    """A pool of connections. Rows come as named tuples."""

    def __init__(
        self,
        pool: AsyncConnectionPool[Any],
        share: asyncio.Semaphore,
        patience: Patience | None = None,
        *,
        sharing: bool = False,
        durable: bool = False,
    ) -> None:
        self._pool = pool
        self._share = share
        self._patience = patience
        self._sharing = sharing
        self._durable = durable

    def at_work(self) -> Database:
        """The same, for statements that may wait for others' locks: they never take all connections, nor for ever."""
        return Database(self._pool, self._share, Patience(PATIENCE), sharing=True)

    def prompt(self) -> Database:
        """The same, for statements that wait for nobody, and on which much depends."""
        return Database(self._pool, self._share, Patience(PROMPT))

    def durable(self) -> Database:
        """The same, for statements whose effect outlives a crash of the server, whatever its synchronous_commit."""
        return Database(self._pool, self._share, self._patience, sharing=self._sharing, durable=True)

    @asynccontextmanager
    async def _for(self, name: str) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
        async with (
            self._patience(name) if self._patience else nullcontext(),
            self._share if self._sharing else nullcontext(),
            self.connection() as connection,
            connection.transaction() if self._durable else nullcontext(),
        ):
            if self._durable:
                await connection.execute(query("raise_durability"))
            yield connection

    async def rows(self, name: str, **values: Any) -> list[Any]:
        """Run one statement and return its rows."""
        async with self._for(name) as connection:
            cursor = await connection.execute(query(name), values)
            return await cursor.fetchall() if cursor.description else []

    async def tuples(self, name: str, **values: Any) -> list[tuple[Any, ...]]:
        """Run one statement and return its rows without names, which cost as much as what they hold."""
        async with self._for(name) as connection, connection.cursor(row_factory=tuple_row) as cursor:
            await cursor.execute(query(name), values)
            return await cursor.fetchall()

    @asynccontextmanager
    async def foreign(self, name: str, **values: Any) -> AsyncIterator[tuple[list[tuple[Any, ...]], Transaction]]:
        """As `tuples`, for a statement that calls the operator's function: whatever that sets is undone.

        Yields the rows, and the transaction, which is committed after the block.
        """
        async with self._for(name) as connection, connection.transaction():
            async with connection.cursor(row_factory=tuple_row) as cursor:
                await cursor.execute(query(name), values)
                rows = await cursor.fetchall()
            await connection.execute(query("shared/reset_session"))
            yield rows, Transaction(connection)

    async def row(self, name: str, **values: Any) -> Any:
        """Run one statement and return its only row, or None."""
        rows = await self.rows(name, **values)
        return rows[0] if rows else None

    async def count(self, name: str, **values: Any) -> int:
        """Run one statement and return how many rows it changed or returned."""
        async with self._for(name) as connection:
            cursor: psycopg.AsyncCursor[Any] = await connection.execute(query(name), values)
            return cursor.rowcount

    async def writable(self) -> bool:
        """Whether the server answers, and may be written to. Raises one of AWAY."""
        async with self._for("writable") as connection:
            row = await (await connection.execute(ASK)).fetchone()
        return bool(row and row[0])

    @asynccontextmanager
    async def transaction(self, *, snapshot: bool = False) -> AsyncIterator[Transaction]:
        """Several statements, together or not at all; with `snapshot` they only read, and all see the same moment."""
        async with self._share, self.connection() as connection, connection.transaction():
            # Compiling what it takes to plan costs a second, and executing it does not get faster by that much.
            await connection.execute("SET LOCAL jit = off")
            if snapshot:
                await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            else:  # others wait for what it changes, and its process may have frozen, or its machine be gone
                await connection.execute(query("raise_durability"))
                await connection.execute(f"SET LOCAL idle_in_transaction_session_timeout = {IDLE_MS}")
            yield Transaction(connection)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
        """A connection, for what is no single statement of sql/queries/."""
        async with self._pool.connection() as connection:
            try:
                yield connection
            except (AwayError, BusyError):
                raise
            except psycopg.Error as error:
                trouble = await trouble_with(error, connection)
                if trouble is Trouble.AWAY:
                    # Another connection may lead to where the standby's primary is. Of one that sent bytes that are no
                    # message, what comes next may be the rest of an answer.
                    ended = session_ended(error, connection)
                    await connection.close()
                    raise (EndedError if ended else AwayError)(first_line(error)) from error
                if trouble is Trouble.BUSY:
                    raise BusyError(first_line(error)) from error
                raise


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
        connection = await psycopg.AsyncConnection.connect(dsn(), **CONNECTION_OPTIONS)
        await connection.close()
    except psycopg.OperationalError as error:
        raise DatabaseUnreachableError(f"the database cannot be reached: {first_line(error)}") from None
    load_queries()  # the package may be replaced while this process runs
    pool = AsyncConnectionPool(
        dsn, kwargs=CONNECTION_OPTIONS, min_size=1, max_size=size, timeout=CONNECT_TIMEOUT, open=False
    )
    await pool.open()
    try:
        yield Database(pool, asyncio.Semaphore(max(1, size - SPARE)))
    finally:
        # A server that does not answer must not hold up the end of the process.
        await asyncio.shield(pool.close(timeout=2))
