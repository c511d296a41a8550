"""Each fault of the network has its described effect, as a plain client sees it."""

from __future__ import annotations

import asyncio
import json
import random
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import aiohttp
import psycopg
import pytest
from support.fleet import dsn_through
from support.postgres import address
from support.proxy import BreakFraming, CorruptReplies, Cut, HalfOpen, Proxy, ReplyLost, Slow, Way
from support.vendor import CANCEL, KEY, ask, open_round
from support.wire_framing import Framing

from retention.simulator.server import RoundStatus, Simulator

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from support.proxy import Trouble


@asynccontextmanager
async def vendor_behind_proxy() -> AsyncIterator[tuple[Simulator, Proxy, str]]:
    """A vendor with one open round, the proxy before it, and where that leads to its CancelRound."""
    async with Simulator([open_round()]) as vendor, Proxy((vendor.host, vendor.port)) as proxy:
        yield vendor, proxy, f"http://127.0.0.1:{proxy.port}{CANCEL}"


@asynccontextmanager
async def database_behind_proxy(dsn: str) -> AsyncIterator[tuple[psycopg.AsyncConnection, Proxy]]:
    """A connection, and the proxy that it goes through."""
    server, database = address(dsn)
    async with Proxy(server, postgres=True) as proxy:
        connection = await psycopg.AsyncConnection.connect(
            dsn_through(proxy, "postgres"), dbname=database, autocommit=True
        )
        try:
            yield connection, proxy
        finally:
            await connection.close()


async def test_a_cut_resets_connections() -> None:
    """While the fault is on, existing and new connections are reset; afterwards none is."""
    async with vendor_behind_proxy() as (vendor, proxy, url), aiohttp.ClientSession() as client:
        vendor.latency = 0.2
        asking = asyncio.create_task(ask(client, url))
        await vendor.until(lambda: len(vendor.requests) == 1)
        with proxy.trouble(Cut()):
            with pytest.raises(aiohttp.ClientError):
                await asking
            with pytest.raises(aiohttp.ClientError):
                await ask(client, url)
        assert 1 == len(vendor.requests)
        assert "61" == (await ask(client, url))["error"]


@pytest.mark.parametrize(("ways", "cancelled"), [((Way.UP,), False), ((Way.DOWN,), True), ((), False)])
async def test_a_half_open_connection_swallows_bytes(ways: tuple[Way, ...], cancelled: bool) -> None:
    """Bytes in a swallowed direction never arrive, without an error, and do not arrive afterwards either."""
    async with vendor_behind_proxy() as (vendor, proxy, url), aiohttp.ClientSession() as client:
        with proxy.trouble(fault := HalfOpen(*ways)):
            asking = asyncio.create_task(ask(client, url))
            await fault.swallowed.wait()
        assert not (await asyncio.wait([asking], timeout=0.3))[0]
        assert cancelled == (vendor.rounds[KEY].status is RoundStatus.CANCELED)
        asking.cancel()
        assert ("61" if cancelled else 0) == (await ask(client, url))["error"]


async def test_a_slow_network_delays_whole_bytes() -> None:
    """Each way takes at least its latency, and the bytes arrive whole."""
    async with vendor_behind_proxy() as (_, proxy, url), aiohttp.ClientSession() as client:
        with proxy.trouble(Slow(0.1)):
            began = time.monotonic()
            assert 0 == (await ask(client, url))["error"]
        assert time.monotonic() - began >= 0.2


async def test_corrupt_replies_are_never_another_reply() -> None:
    """However a reply is corrupted, it is no reply any more: it breaks HTTP or JSON."""
    broken = []
    async with vendor_behind_proxy() as (vendor, proxy, url), aiohttp.ClientSession() as client:
        with proxy.trouble(CorruptReplies(random.Random(1), 1.0)):
            for _ in range(30):
                with pytest.raises((aiohttp.ClientError, UnicodeDecodeError, json.JSONDecodeError)) as caught:
                    await ask(client, url)
                broken.append(caught.type)
        assert 30 == len(vendor.requests)
        assert UnicodeDecodeError in broken  # of the JSON
        assert len({*broken}) > 1  # of HTTP


async def test_the_reply_is_lost() -> None:
    """The request has its effect, and its client gets a reset in place of the reply."""
    async with vendor_behind_proxy() as (vendor, proxy, url), aiohttp.ClientSession() as client:
        with proxy.trouble(ReplyLost(lambda data: b"CancelRound" in data)), pytest.raises(aiohttp.ClientError):
            await ask(client, url)
        assert 1 == vendor.rounds[KEY].cancelled_times


async def test_the_reply_of_one_statement_is_lost(database_dsn: str) -> None:
    """The statement with the marker is executed and committed, though its client learns of a cut connection only."""
    async with database_behind_proxy(database_dsn) as (connection, proxy):
        await connection.execute("CREATE TABLE public.marked (id int)")
        with proxy.trouble(ReplyLost(lambda data: b"INSERT INTO public.marked" in data)):
            await connection.execute("SELECT 1")
            with pytest.raises(psycopg.OperationalError):
                await connection.execute("INSERT INTO public.marked SELECT generate_series(1, 20000) RETURNING id")
        async with await psycopg.AsyncConnection.connect(database_dsn) as other:
            rows = await other.execute("SELECT count(*) FROM public.marked")
            assert [(20000,)] == await rows.fetchall()


async def test_broken_framing_is_noticed(database_dsn: str) -> None:
    """A message with an invalid type or length is refused by its receiver: the statement has no result."""
    for seed in range(8):
        async with database_behind_proxy(database_dsn) as (connection, proxy):
            with proxy.trouble(BreakFraming(random.Random(seed), 1.0)), pytest.raises(psycopg.Error):
                async with asyncio.timeout(300):
                    await connection.execute("SELECT %s::int, pg_sleep(0.05)", [1])


@pytest.mark.parametrize(
    "trouble", [Cut(), HalfOpen(), Slow(0.05), ReplyLost(lambda _: True)], ids=lambda t: type(t).__name__
)
async def test_a_new_connection_works_after_each_trouble(database_dsn: str, trouble: Trouble) -> None:
    """After each trouble a new connection works as ever."""
    async with database_behind_proxy(database_dsn) as (_, proxy):
        with proxy.trouble(trouble):
            pass
        async with await psycopg.AsyncConnection.connect(
            dsn_through(proxy, "postgres"), dbname=address(database_dsn)[1]
        ) as connection:
            assert (1,) == await (await connection.execute("SELECT 1")).fetchone()


@pytest.mark.parametrize("size", [1, 3, 7, 100])
def test_framing_finds_messages_across_chunks(size: int) -> None:
    """Messages are found wherever they begin, however the stream is cut into chunks."""
    messages = [b"\0\0\0\x08abcd", b"Q\0\0\0\x09SELE\0", b"S\0\0\0\x04", b"P\0\0\0\x06Q\0"]
    stream, framing, found = b"".join(messages), Framing(first_has_type=False), []
    for at in range(0, len(stream), size):
        found += [at + start for start in framing.starts(stream[at : at + size])]
    assert [8, 18, 23] == found
