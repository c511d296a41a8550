"""Connections that a vendor ends without a word: found before a request goes into them, over TLS too, on both loops."""

from __future__ import annotations

import asyncio
import ssl
import threading
from typing import TYPE_CHECKING, Any

import pytest
import uvloop
from support.tls import localhost_tls
from support.unkind_http import REQUEST_TIMEOUT, Line, UnkindVendor

from retention.core.model import NotConnected, Reply, Unclear
from retention.simulator.server import Simulator
from retention.vendor_api.client import VendorClient

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("way_of_replies")

BODY = b'{"roundId": "R-1"}'
LOOPS = pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
SECURE = pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])


@pytest.fixture
def tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """Return a server's side of TLS that clients trust which are made from now on."""
    context, authority = localhost_tls(tmp_path)
    trusting = ssl.create_default_context(cafile=authority)
    monkeypatch.setattr("aiohttp.connector._SSL_CONTEXT_VERIFIED", trusting)
    return context


def closes(line: Line) -> None:
    """End the connection in both directions."""
    line.close()


def says_408(line: Line) -> None:
    """Tell that no more is waited for, and close."""
    line.write(REQUEST_TIMEOUT)
    line.close()


def says_408_and_stays(line: Line) -> None:
    """Tell it, and leave the connection as it is."""
    line.write(REQUEST_TIMEOUT)


ENDS = pytest.mark.parametrize(
    "end",
    [closes, Line.reset, Line.notify, Line.half_close, says_408, says_408_and_stays],
    ids=lambda end: end.__name__,
)


class Ending:
    """Ends the first connection after its second reply, on demand."""

    def __init__(self, end: Callable[[Line], None]) -> None:
        self._end = end
        self._go, self._done = threading.Event(), threading.Event()
        self.over = threading.Event()

    def after_reply(self, line: Line, nth: int) -> bool:
        """Wait for the word after the second reply."""
        if line.number == 1 and nth == 2:
            self._go.wait()
            self._end(line)
            self._done.set()
            self.over.wait()  # the connection stays as it was left
            return False
        return True

    def let_go(self) -> None:
        """Let the connection's thread end."""
        self._go.set()
        self.over.set()

    def now(self) -> None:
        """End it. The event loop stands still meanwhile, and has read nothing when this returns."""
        self._go.set()
        assert self._done.wait(10)


@SECURE
@LOOPS
@ENDS
def test_an_unread_end_of_a_connection_is_seen(
    end: Callable[[Line], None], new_loop: Callable[[], asyncio.AbstractEventLoop], tls: ssl.SSLContext, *, secure: bool
) -> None:
    """A request goes over a new connection where the old one's end, or a byte, lies unread in the kernel."""
    ending = Ending(end)

    async def asked(vendor: UnkindVendor) -> list[object]:
        async with VendorClient(timeout=10) as client:
            url = f"{vendor.url}/v4/CancelRound"
            before = [(await client.post(url, BODY)).answer for _ in range(2)]
            ending.now()
            return [*before, (await client.post(url, BODY)).answer]

    with UnkindVendor(ending.after_reply, tls=tls if secure else None).serve() as vendor:
        try:
            with asyncio.Runner(loop_factory=new_loop) as runner:
                answers = runner.run(asked(vendor))
        finally:
            ending.let_go()
    assert [200, 200, 200] == [answer.http_status if isinstance(answer, Reply) else answer for answer in answers]
    assert [(1, 1), (1, 2), (2, 1)] == [(heard.connection, heard.nth) for heard in vendor.heard]


@SECURE
@LOOPS
@ENDS
def test_the_send_check_is_the_last_step_before_the_write(
    end: Callable[[Line], None], new_loop: Callable[[], asyncio.AbstractEventLoop], tls: ssl.SSLContext, *, secure: bool
) -> None:
    """A connection that ends after it was taken, as its request is made ready, gets no byte: nothing was sent."""
    ending = Ending(end)

    async def asked(vendor: UnkindVendor) -> Any:
        async with VendorClient(timeout=10) as client:
            url = f"{vendor.url}/v4/CancelRound"
            for _ in range(2):
                await client.post(url, BODY)
            connection = client.take(url)
            assert connection is not None
            ending.now()
            return await client.exchange(connection, url, BODY)

    with UnkindVendor(ending.after_reply, tls=tls if secure else None).serve() as vendor:
        try:
            with asyncio.Runner(loop_factory=new_loop) as runner:
                exchange = runner.run(asked(vendor))
        finally:
            ending.let_go()
    assert (NotConnected("not sent: the vendor ended the connection before"), None, None, None, None) == exchange
    assert 2 == len(vendor.heard)


def at_once(_line: Line, _nth: int) -> bool:
    """Close after each reply."""
    return False


def a_little_later(line: Line, _nth: int) -> bool:
    """Close 2 ms after each reply, despite requests that have come by then."""
    line.wait(0.002)
    return False


def after_the_third(_line: Line, nth: int) -> bool:
    """Close after each third reply."""
    return nth < 3


def politely(line: Line, _nth: int) -> bool:
    """Say that nothing more comes, and go on reading."""
    line.notify()
    while line.read():
        pass
    return False


def crashing(line: Line, _nth: int) -> bool:
    """Reset the connection after each reply."""
    line.reset()
    return False


HOW = (at_once, a_little_later, after_the_third, politely, crashing)


@pytest.mark.parametrize(
    ("after_reply", "secure"),
    [
        *(pytest.param(how, True, id=f"{how.__name__}-tls") for how in HOW),
        pytest.param(at_once, False, id="at_once-plain"),
        *(pytest.param(how, False, id=f"{how.__name__}-plain", marks=pytest.mark.long) for how in HOW[1:]),
    ],
)
async def test_a_vendor_that_ends_connections_leaves_few_doubts(
    after_reply: Callable[[Line, int], bool], tls: ssl.SSLContext, *, secure: bool
) -> None:
    """Of 200 requests, ten at a time, to a vendor that ends each connection after its reply, a handful is in doubt."""
    async with VendorClient(timeout=10) as client:
        with UnkindVendor(after_reply, tls=tls if secure else None).serve() as vendor:
            url = f"{vendor.url}/v4/CancelRound"

            async def twenty() -> list[object]:
                return [(await client.post(url, BODY)).answer for _ in range(20)]

            answers = [answer for part in await asyncio.gather(*(twenty() for _ in range(10))) for answer in part]
    # On a busy machine a connection may be found ended when its request is due: that one is not sent.
    assert {Reply, Unclear, NotConnected} >= set(map(type, answers))
    assert len([answer for answer in answers if isinstance(answer, Unclear)]) <= 10
    assert 100 <= len(vendor.heard) <= 200


@SECURE
async def test_a_vendor_that_ends_each_connection_unused_is_not_reached(tls: ssl.SSLContext, *, secure: bool) -> None:
    """A vendor that takes connections and ends them before any byte is sent was not reached; no round is in doubt."""
    async with VendorClient(timeout=10) as client:
        with UnkindVendor(tls=tls if secure else None, on_accept=Line.close).serve() as vendor:
            url = f"{vendor.url}/v4/CancelRound"
            for _ in range(3):
                await client.connect(url)
                while client.in_hand(url):
                    await asyncio.sleep(0.01)
            failed = await client.connect(url)
    assert failed is not None
    assert failed.why.endswith("the other side takes connections, and ends them before anything is sent")
    assert [] == vendor.heard


@SECURE
async def test_a_new_connection_that_we_close_has_stayed_open(tls: ssl.SSLContext, *, secure: bool) -> None:
    """What unused connections taught as they ended has a new one closed here early: the vendor did not end it."""
    async with (
        Simulator(host="127.0.0.1", tls=tls if secure else None) as vendor,
        VendorClient(timeout=10) as client,
    ):
        url = f"{vendor.url}/v4/CancelRound".replace("127.0.0.1", "localhost")
        assert [None] * 4 == [await client.connect(url) for _ in range(4)]
        await asyncio.sleep(0.3)
        await vendor.down()
        await vendor.up()
        while client.in_hand(url):
            await asyncio.sleep(0.01)
        connecting = asyncio.create_task(client.connect(url))
        while not connecting.done():
            client.in_hand(url)
            await asyncio.sleep(0.01)
        assert None is await connecting


@SECURE
@pytest.mark.parametrize("lay_s", [0.0, 0.3], ids=["new", "unused for a while"])
async def test_a_vendor_is_reached_again_after_an_outage_that_ended_unused_connections(
    tls: ssl.SSLContext, lay_s: float, *, secure: bool
) -> None:
    """After an outage that reset unused connections, the first new connection that stays open counts as one."""
    async with (
        Simulator(host="127.0.0.1", tls=tls if secure else None) as vendor,
        VendorClient(timeout=10) as client,
    ):
        url = f"{vendor.url}/v4/CancelRound".replace("127.0.0.1", "localhost")
        assert [None] * 4 == [await client.connect(url) for _ in range(4)]
        await asyncio.sleep(lay_s)
        await vendor.down()
        while client.in_hand(url):
            await asyncio.sleep(0.01)
        assert await client.connect(url) is not None
        await vendor.up()
        assert await client.connect(url) is None
        assert 1 == client.in_hand(url)


async def test_connections_are_used_again_after_an_outage_that_was_too_short_to_see(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A restart between two requests ends an idle connection, and no new one fails: that taught no limit for good."""
    monkeypatch.setattr("retention.core.sending.connection_reuse.WATCH_PAUSE_S", 0.0)
    async with Simulator(host="127.0.0.1") as vendor, VendorClient(timeout=10) as client:
        url = f"{vendor.url}/v4/CancelRound"
        for _ in range(2):
            await client.post(url, b"{}")
            await asyncio.sleep(0.05)
        assert 1 == client.in_hand(url)
        await vendor.down()
        await vendor.up()
        while client.in_hand(url):
            await asyncio.sleep(0.01)
        for _ in range(40):
            await client.post(url, b"{}")
            for _ in range(10):
                await asyncio.sleep(0.02)
                client.in_hand(url)  # as a run does all the while
            if client.in_hand(url):
                return
    pytest.fail("each request still has a connection of its own")
