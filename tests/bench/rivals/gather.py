"""The script of an hour: all stale rounds at once, a semaphore, and a commit for each row."""

from __future__ import annotations

import asyncio

import uvloop

from bench.rivals.calls import (
    CLOSE_AND_RECORD,
    CONNECTIONS,
    STALE,
    Round,
    asked,
    cancel,
    make_results,
    open_pool,
    open_session,
)


async def work(dsn: str, url: str, in_flight: int) -> None:
    """Cancel them."""
    # Rounds whose result is being written are not in flight: the session counts the others.
    gate = asyncio.Semaphore(in_flight + CONNECTIONS)
    async with open_pool(dsn) as pool, open_session(in_flight) as session:

        async def one(stale: Round) -> None:
            async with gate:
                result = await cancel(session, url, stale)
                async with pool.connection() as connection:
                    await connection.execute(CLOSE_AND_RECORD, result)

        async with pool.connection() as connection:
            rows = await (await connection.execute(STALE)).fetchall()
        await asyncio.gather(*(one(Round(*row)) for row in rows))


if __name__ == "__main__":
    options = asked()
    if options.step == "prepare":
        make_results(options.dsn)
    else:
        uvloop.run(work(options.dsn, options.url, options.in_flight))
