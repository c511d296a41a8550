"""The pool of connections: timeouts, standbys, garbled replies and frozen transactions."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from psycopg.conninfo import make_conninfo
from support.fleet import dsn_through
from support.postgres import address
from support.proxy import Cut, Link, Proxy, Trouble, Way, flipped

from retention.ledger import database as module
from retention.ledger.adaptive_timeout import AdaptiveTimeout
from retention.ledger.database import Database, open_database
from retention.ledger.database_errors import UNAVAILABLE, ReplyTimeoutError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from support.world import World


async def stand_still(world: World, database: Database) -> None:
    """Stop in the middle of a transaction until the server has had enough, and go on."""
    idle = "SELECT FROM pg_stat_activity WHERE state = 'idle in transaction' AND datname = current_database()"
    async with database.transaction() as transaction:
        await transaction.row("clocks/get_time")
        while await world.sql(idle):
            await asyncio.sleep(0.02)
        await transaction.row("clocks/get_time")


async def test_server_ends_the_transaction_of_a_frozen_process(
    world: World, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server ends an idle transaction that has changed rows, because other sessions may wait for it."""
    monkeypatch.setattr(module, "IDLE_TRANSACTION_TIMEOUT_MS", 100)
    with pytest.raises(UNAVAILABLE):
        await stand_still(world, database)


async def test_reply_timeout_doubles_with_each_try(world: World, database: Database) -> None:
    """A statement without a reply raises ReplyTimeoutError; a slow statement succeeds after some tries."""
    patient = Database(database._pool, asyncio.Semaphore(), AdaptiveTimeout(0.2))  # noqa: SLF001 - the same connections
    async with world.locked("retention.runs"):
        with pytest.raises(ReplyTimeoutError, match="no answer for 0 s") as given_up:
            await patient.row("runs/get_run", run_id=None)
        assert isinstance(given_up.value, UNAVAILABLE)
        began = time.monotonic()
        with pytest.raises(ReplyTimeoutError):
            await patient.row("runs/get_run", run_id=None)
        assert time.monotonic() - began >= 0.4
    for _ in range(20):  # each time it has twice as long
        with suppress(ReplyTimeoutError):
            assert await patient.row("runs/get_run", run_id=None) is None
            return
    pytest.fail("it never succeeded")


async def test_a_quick_reply_ends_the_patience_that_an_outage_taught() -> None:
    """Timeouts double the limit, a slow reply keeps it, and a quick one brings the first limit back."""
    limit = AdaptiveTimeout(0.5)
    for seconds in (0, 1):
        with pytest.raises(ReplyTimeoutError, match=f"no answer for {seconds} s"):
            await unanswered(limit)
    async with limit("a statement"):
        await asyncio.sleep(0.6)
    with pytest.raises(ReplyTimeoutError, match="no answer for 2 s"):
        await unanswered(limit)
    async with limit("a statement"):
        pass
    with pytest.raises(ReplyTimeoutError, match="no answer for 0 s"):
        await unanswered(limit)


async def unanswered(limit: AdaptiveTimeout) -> None:
    """Wait in vain."""
    async with limit("a statement"):
        await asyncio.Event().wait()


async def statement(database: Database) -> None:
    """Change nothing, by a statement that stands alone."""
    assert 0 == await database.count("run_control/halt_run", run_id=None, replica="", reason="", paused_partners=[])


async def transaction(database: Database) -> None:
    """Change nothing, by one of a transaction's."""
    async with database.transaction() as transaction:
        assert [] == await transaction.rows(
            "run_control/halt_run", run_id=None, replica="", reason="", paused_partners=[]
        )


@pytest.mark.parametrize("change", [statement, transaction])
async def test_standby_counts_as_unavailable(direct_dsn: str, change: Callable[[Database], Awaitable[None]]) -> None:
    """A write to a standby raises a retryable error, and the next write uses another connection."""
    async with open_database(lambda: direct_dsn, size=1) as database:  # PgBouncer would keep the setting
        async with database.connection() as connection:
            await connection.execute("SET default_transaction_read_only = on")
        with pytest.raises(UNAVAILABLE):
            await change(database)
        await change(database)


async def test_each_statement_of_a_long_outage_tries_to_connect(
    direct_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pauses between tries do not grow with the outage: after it, no statement waits as long as it lasted."""
    monkeypatch.setattr(module, "CONNECT_TIMEOUT_S", 2)  # the pool's first pause between two tries takes up to 1.1 s
    server, name = address(direct_dsn)
    tries = 0

    def dsn() -> str:
        nonlocal tries
        tries += 1
        return make_conninfo(dsn_through(proxy, "postgres"), dbname=name)

    async with Proxy(server, postgres=True) as proxy, open_database(dsn) as database:
        before = await backend(database)
        with proxy.trouble(Cut()):
            with pytest.raises(UNAVAILABLE):
                await database.row("clocks/get_time")  # over the connection that is cut: nothing has to be tried yet
            for _ in range(6):
                tried = tries
                with pytest.raises(UNAVAILABLE):
                    await database.row("clocks/get_time")
                assert tried < tries
        while True:
            with suppress(*UNAVAILABLE):
                assert before != await backend(database)
                return


class Garbled(Trouble):
    """The first message of a type comes with a byte flipped: the type itself, or the first one of its length."""

    def __init__(self, type_: bytes, byte: int) -> None:
        self._type, self._byte = type_, byte

    async def carry(self, link: Link, way: Way, data: bytes) -> bytes:
        for start in link.starts:
            if way is Way.DOWN and self._type and data[start : start + 1] == self._type:
                self._type = b""
                return flipped(data, start + self._byte)
        return data


@pytest.mark.parametrize("byte", [0, 1])
@pytest.mark.parametrize("type_", [b"T", b"D", b"C"])
async def test_garbled_reply_counts_as_unavailable(direct_dsn: str, type_: bytes, byte: int) -> None:
    """A garbled reply raises a retryable error instead of a refusal, and its connection is closed."""
    server, name = address(direct_dsn)
    async with (
        Proxy(server, postgres=True) as proxy,
        open_database(lambda: make_conninfo(dsn_through(proxy, "postgres"), dbname=name), size=1) as database,
    ):
        before = await backend(database)
        with proxy.trouble(Garbled(type_, byte)), pytest.raises(UNAVAILABLE):
            await database.row("clocks/get_time")
        assert before != await backend(database)


async def backend(database: Database) -> int:
    """The process number of the server's backend."""
    async with database.connection() as connection:
        return connection.info.backend_pid
