"""Connections that count the work of each statement, as the server itself tells it."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, ClassVar

import psycopg
from psycopg.rows import tuple_row
from psycopg_pool import AsyncConnectionPool

from retention.ledger.database import Database
from retention.ledger.session import CONNECTION_OPTIONS, Session

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Explaining(psycopg.AsyncCursor[Any]):
    """Runs each statement of sql/queries/ twice: first explained and undone. `work`: rows that it went through, by its
    comment.
    """

    work: ClassVar[Counter[str]] = Counter()

    async def execute(self, query: Any, params: Any = None, **how: Any) -> Explaining:
        """Run it."""
        text = query.decode() if isinstance(query, bytes) else str(query)
        told = re.match(r"-- (.*)", text)
        if told and params is not None and re.match(r"(--.*\n|\s)*(WITH|SELECT|INSERT|UPDATE|DELETE)\b", text):
            async with self.connection.transaction(force_rollback=True):
                explained = psycopg.AsyncCursor(self.connection, row_factory=tuple_row)
                await explained.execute(b"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON)\n" + text.encode(), params)
                row = await explained.fetchone()
                assert row is not None
                Explaining.work[told[1]] += round(_work(row[0][0]["Plan"]))
        await super().execute(query, params, **how)
        return self


def _work(node: dict[str, Any]) -> float:
    """The rows that a node of a plan, and those below it, have handed on or thrown away."""
    rows = sum(node.get(key, 0) for key in ("Actual Rows", "Rows Removed by Filter", "Rows Removed by Join Filter"))
    own: float = node["Actual Loops"] * (1 + rows)
    return own + sum(_work(below) for below in node.get("Plans", ()))


@asynccontextmanager
async def explaining(dsn: str) -> AsyncIterator[Database]:
    """Yield a database whose statements are counted from now on."""
    Explaining.work.clear()
    options = {**CONNECTION_OPTIONS, "cursor_factory": Explaining}
    async with AsyncConnectionPool(
        dsn, connection_class=Session, kwargs=options, min_size=1, max_size=2, open=False
    ) as pool:
        yield Database(pool, asyncio.Semaphore(1))
