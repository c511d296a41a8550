"""procrastinate: a job for each stale round, and workers that leave after the last job."""

from __future__ import annotations

import asyncio
import time

import psycopg
import uvloop
from procrastinate import App, PsycopgConnector

from bench.rivals.calls import (
    CLOSE,
    CONNECTIONS,
    STALE,
    Round,
    asked,
    cancel,
    chunks,
    open_pool,
    open_session,
    tell_enqueued,
)

WORKERS = 4
"""In one process and with one pool: a worker fetches one job after another, and waits for each."""


async def prepare(dsn: str) -> None:
    """Make its tables, and a job of each round."""
    app = App(connector=PsycopgConnector(conninfo=dsn))
    async with app.open_async(), await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        await app.schema_manager.apply_schema_async()
        task = app.configure_task("cancel")
        begun = time.monotonic()
        rows = await (await connection.execute(STALE)).fetchall()
        for some in chunks([dict(zip(Round._fields, row, strict=True)) for row in rows]):
            await task.batch_defer_async(*some)
        tell_enqueued(time.monotonic() - begun)
        await connection.execute("VACUUM ANALYZE")


async def work(dsn: str, url: str, in_flight: int) -> None:
    """Cancel them."""
    app = App(connector=PsycopgConnector())
    # A pool of ours, since its own asks each connection how it is before it lends it, and opens transactions.
    async with open_pool(dsn) as pool, app.open_async(pool), open_session(in_flight) as session:

        async def one(**stale: str) -> None:
            result = await cancel(session, url, Round(**stale))
            async with pool.connection() as connection:
                await connection.execute(CLOSE, (result["amount"], result["round_id"]))

        app.task(name="cancel")(one)
        concurrency = -(-(in_flight + CONNECTIONS) // WORKERS)
        workers = (
            app.run_worker_async(
                concurrency=concurrency, wait=False, listen_notify=False, install_signal_handlers=False
            )
            for _ in range(WORKERS)
        )
        await asyncio.gather(*workers)


if __name__ == "__main__":
    options = asked()
    if options.step == "prepare":
        uvloop.run(prepare(options.dsn))
    else:
        uvloop.run(work(options.dsn, options.url, options.in_flight))
