"""pgqueuer: a job for each stale round, and a worker that drains the queue."""

from __future__ import annotations

import json
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import asyncpg
import uvloop
from pgqueuer import PgQueuer
from pgqueuer.db import AsyncpgDriver
from pgqueuer.queries import Queries
from pgqueuer.types import QueueExecutionMode
from psycopg.conninfo import conninfo_to_dict

from bench.rivals.calls import CONNECTIONS, STALE, Round, asked, cancel, chunks, open_session, tell_enqueued

if TYPE_CHECKING:
    from pgqueuer.models import Job

CLOSE = (
    "UPDATE public.rounds SET status = 2, cancelled_at = now(), refund = $1"
    " WHERE partner = 'acme' AND round_id = $2 AND status = 0"
)


async def prepare(dsn: str) -> None:
    """Make the queue, with the autovacuum that its makers advise, and a job of each round."""
    connection = await asyncpg.connect(**_terms(dsn))
    queries = Queries(AsyncpgDriver(connection))
    await queries.install()
    await queries.optimize_autovacuum()
    begun = time.monotonic()
    payloads = [json.dumps(tuple(row)).encode() for row in await connection.fetch(STALE)]
    for some in chunks(payloads):
        await queries.enqueue(["cancel"] * len(some), list(some), [0] * len(some))
    tell_enqueued(time.monotonic() - begun)
    await connection.execute("VACUUM ANALYZE")
    await connection.close()


async def work(dsn: str, url: str, in_flight: int) -> None:
    """Cancel them."""
    # Without a reset, which would be a statement more for each row: no code here changes a connection's settings.
    pool = asyncpg.create_pool(**_terms(dsn), min_size=CONNECTIONS, max_size=CONNECTIONS, reset=_as_it_is)
    connection = await asyncpg.connect(**_terms(dsn))
    async with pool, open_session(in_flight) as session:

        async def one(job: Job) -> None:
            result = await cancel(session, url, Round(*json.loads(job.payload or b"")))
            await pool.execute(CLOSE, result["amount"], result["round_id"])

        queue = PgQueuer.from_asyncpg_connection(connection)
        queue.entrypoint("cancel")(one)
        # With as many jobs at hand as are in flight it waits a tenth of a second whenever it has them all.
        await queue.run(
            batch_size=in_flight,
            max_concurrent_tasks=4 * in_flight,
            mode=QueueExecutionMode.drain,
            dequeue_timeout=timedelta(seconds=0.1),
        )
    await connection.close()


async def _as_it_is(_connection: object) -> None:
    """Leave it so."""


def _terms(dsn: str) -> dict[str, Any]:
    """The libpq settings, in asyncpg's form."""
    names = {"host": "host", "port": "port", "user": "user", "password": "password", "dbname": "database"}
    return {names[key]: value for key, value in conninfo_to_dict(dsn).items() if key in names and value}


if __name__ == "__main__":
    options = asked()
    if options.step == "prepare":
        uvloop.run(prepare(options.dsn))
    else:
        uvloop.run(work(options.dsn, options.url, options.in_flight))
