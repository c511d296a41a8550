"""Sets a database's clock off, for whatever asks it over a connection that was made afterwards.

The time functions of a schema of the test's own stand before PostgreSQL's on the database's search path, and add what a
table says. What stands in the schema already (defaults, the operator's function) keeps to the true clock.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_FUNCTIONS = ("now", "statement_timestamp", "clock_timestamp", "transaction_timestamp")


class DatabaseClock:
    """The clock of one database."""

    def __init__(self, connection: psycopg.AsyncConnection) -> None:
        self._connection = connection

    async def set(self, offset_seconds: float) -> None:
        """Let it be off by so many seconds, from the next statement on."""
        await self._connection.execute("UPDATE fake.clock SET off = make_interval(secs => %s)", [offset_seconds])


@asynccontextmanager
async def database_clock(dsn: str) -> AsyncIterator[DatabaseClock]:
    """Yield a database's clock, that can be set from now on; `dsn` leads straight to it."""
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        await connection.execute("CREATE SCHEMA fake")
        await connection.execute("CREATE TABLE fake.clock (off interval NOT NULL)")
        await connection.execute("INSERT INTO fake.clock VALUES (interval '0')")
        for name in _FUNCTIONS:
            volatility = "VOLATILE" if name == "clock_timestamp" else "STABLE"
            await connection.execute(
                sql.SQL(
                    "CREATE FUNCTION fake.{name}() RETURNS timestamptz LANGUAGE sql {volatility} AS"
                    " 'SELECT pg_catalog.{name}() + off FROM fake.clock'"
                ).format(name=sql.SQL(name), volatility=sql.SQL(volatility))
            )
        await connection.execute("GRANT USAGE ON SCHEMA fake TO PUBLIC")
        await connection.execute("GRANT SELECT ON fake.clock TO PUBLIC")
        await connection.execute(
            sql.SQL("ALTER DATABASE {} SET search_path = fake, pg_catalog, public").format(
                sql.Identifier(connection.info.dbname)
            )
        )
        yield DatabaseClock(connection)
