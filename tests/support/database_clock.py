"""Sets a database's clock off, for every later connection.

The time functions of a schema of the test's own stand before PostgreSQL's on the database's search path, and add a
table's offset. Objects that are in the schema already (defaults, the operator's function) keep to the true clock.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, LiteralString

import psycopg

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_FUNCTION: LiteralString = """
CREATE FUNCTION fake.{name}() RETURNS timestamptz LANGUAGE sql {volatility} AS
    'SELECT pg_catalog.{name}() + off FROM fake.clock';
"""

_FUNCTIONS: dict[LiteralString, LiteralString] = {
    "now": "STABLE",
    "statement_timestamp": "STABLE",
    "transaction_timestamp": "STABLE",
    "clock_timestamp": "VOLATILE",
}

CLOCK: LiteralString = """
CREATE SCHEMA fake;
CREATE TABLE fake.clock (off interval NOT NULL);
INSERT INTO fake.clock VALUES (interval '0');
GRANT USAGE ON SCHEMA fake TO PUBLIC;
GRANT SELECT ON fake.clock TO PUBLIC;
DO $$ BEGIN
    EXECUTE format('ALTER DATABASE %I SET search_path = fake, pg_catalog, public', current_database());
END $$;
""" + "".join(_FUNCTION.format(name=name, volatility=volatility) for name, volatility in _FUNCTIONS.items())
"""Makes a database's clock one that can be set."""

SET: LiteralString = "UPDATE fake.clock SET off = make_interval(secs => %(seconds)s)"
"""Lets it be off by so many seconds, from the next statement on."""

TRUE = "-c search_path=public"
"""Options of a connection that has the true clock all the same."""


class DatabaseClock:
    """The clock of one database."""

    def __init__(self, connection: psycopg.AsyncConnection) -> None:
        self._connection = connection

    async def set(self, offset_seconds: float) -> None:
        """Let it be off by so many seconds, from the next statement on."""
        await self._connection.execute(SET, {"seconds": offset_seconds})


@asynccontextmanager
async def database_clock(dsn: str) -> AsyncIterator[DatabaseClock]:
    """Yield a database's clock, that can be set from now on; `dsn` leads straight to it."""
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        await connection.execute(CLOCK)
        yield DatabaseClock(connection)
