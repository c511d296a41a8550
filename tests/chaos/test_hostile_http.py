"""Under every abuse of HTTP a request has an answer in time, in little memory, and no answer is made up."""

from __future__ import annotations

import asyncio
import itertools
import time
import tracemalloc
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import pytest
import uvloop
from support.hostile import CORPUS, parse, understood

from retention.core.model import Answer, NotConnected, Reply, Unclear
from retention.vendor_api.client import VendorClient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

ZERO = b'{"error": 0}'
HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
TIMEOUT = 0.5
"""Seconds that the client waits for a reply that need not come whole."""

MARGIN = 60.0
"""Seconds beyond that, in which a machine with much to do has come round to it. The client waits so long for a reply
that has to come."""

MEMORY = 16 * 2**20
"""Bytes, the server's own included, which is in the same process."""


@asynccontextmanager
async def vendor(
    parts: Iterable[bytes], *, pause: float = 0, early: bool = False, stay: bool = True
) -> AsyncIterator[str]:
    """A server of raw bytes, which `early` does not wait for the request; yields its address."""
    talks: set[asyncio.Task[object]] = set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        talks.add(task)
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            if not early:
                await reader.readuntil(b"\r\n\r\n")
            for part in parts:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(pause)
            if stay:
                await reader.read()
        if stay:
            writer.transport.abort()  # unsent bytes do not matter
        writer.close()
        with suppress(ConnectionError, asyncio.CancelledError):
            await writer.wait_closed()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v4/CancelRound"
    finally:
        server.close()
        for one in talks:
            one.cancel()
        await asyncio.gather(*talks)


async def ask(url: str, seconds: float) -> Answer:
    """Send one request. The connection comes first: on a busy machine, to make it may take the short timeout."""
    async with VendorClient(timeout=seconds) as client:
        while await client.connect(url) == NotConnected("no connection: timed out"):
            pass
        return (await client.post(url, b'{"roundId": "1"}')).answer


CASES: dict[str, tuple[bytes, bytes, str | None]] = {
    "headers without end": (HEAD, b"X-A: b\r\n" * 1000, None),
    "a header without end": (HEAD + b"X-A: ", b"b" * 10_000, None),
    "a status line without end": (b"HTTP/1.1 200 ", b"O" * 10_000, None),
    "a body without end": (HEAD + b"\r\n" + ZERO, b" " * 10_000, None),
    "a body without end under 500": (b"HTTP/1.1 500 No\r\n\r\n", b" " * 10_000, None),
    "chunks without end": (CHUNKED, b"1\r\n \r\n" * 1000, None),
    "a chunk's size without end": (CHUNKED, b"0" * 10_000, None),
    "a chunk's extension without end": (CHUNKED + b"c;", b"x" * 10_000, None),
    "trailers without end": (CHUNKED + b"c\r\n" + ZERO + b"\r\n0\r\n", b"X: y\r\n" * 1000, None),
    "interim replies without end": (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000, None),
    "interim replies with headers without end": (b"", b"HTTP/1.1 103 Hints\r\nLink: </x>\r\n\r\n" * 1000, None),
    "empty lines without end": (b"", b"\r\n" * 5000, None),
    "a chunk too large for any machine": (CHUNKED + b"ffffffffffffffffff\r\n" + ZERO, b"", None),
    "a chunk as large as there is": (CHUNKED + b"7fffffffffffffff\r\n" + ZERO, b"", None),
    "a chunk of a negative size": (CHUNKED + b"-c\r\n" + ZERO + b"\r\n0\r\n\r\n", b"", None),
    "a chunk shorter than it says": (CHUNKED + b"d\r\n" + ZERO + b"\r\n0\r\n\r\n", b"", "0"),
    "a chunk longer than it says": (CHUNKED + b"b\r\n" + ZERO + b"\r\n0\r\n\r\n", b"", None),
    "chunks that never end": (CHUNKED + b"c\r\n" + ZERO + b"\r\n", b"", None),
    "a length too large": (HEAD + b"Content-Length: 13\r\n\r\n" + ZERO, b"", None),
    "a length too small": (HEAD + b"Content-Length: 11\r\n\r\n" + ZERO, b"", None),
    "more than the length says": (HEAD + b"Content-Length: 12\r\n\r\n" + ZERO + b"garbage", b"", None),
    "a length in hexadecimal": (HEAD + b"Content-Length: 0xc\r\n\r\n" + ZERO, b"", None),
    "a length with a sign": (HEAD + b"Content-Length: +12\r\n\r\n" + ZERO, b"", None),
    "a length of 5000 digits": (HEAD + b"Content-Length: " + b"1" * 5000 + b"\r\n\r\n" + ZERO, b"", None),
    "two lengths": (HEAD + b"Content-Length: 12\r\nContent-Length: 11\r\n\r\n" + ZERO, b"", None),
    "a length and chunks": (
        HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nc\r\n" + ZERO + b"\r\n0\r\n\r\n",
        b"",
        None,
    ),
    "chunks twice": (HEAD + b"Transfer-Encoding: chunked, chunked\r\n\r\nc\r\n" + ZERO + b"\r\n0\r\n\r\n", b"", "0"),
    "a length of zero": (HEAD + b"Content-Length: 0\r\n\r\n" + ZERO, b"", None),
    "a NUL in a header": (HEAD + b"X: a\0b\r\nContent-Length: 12\r\n\r\n" + ZERO, b"", None),
    "a bare line feed in a header": (HEAD + b"X: a\nContent-Length: 12\r\n\r\n" + ZERO, b"", "0"),
    "no reason": (b"HTTP/1.1 200\r\nContent-Length: 12\r\n\r\n" + ZERO, b"", "0"),
    "HTTP/0.9": (ZERO, b"", None),
    "HTTP/2": (b"\x00\x00\x12\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x64", b"", None),
    "HTTP/3.0": (b"HTTP/3.0 200 OK\r\nContent-Length: 12\r\n\r\n" + ZERO, b"", None),
    "an upgrade": (b"HTTP/1.1 101 Go\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n" + ZERO, b"", None),
    "a request": (b"POST / HTTP/1.1\r\nContent-Length: 12\r\n\r\n" + ZERO, b"", None),
    "nothing": (b"", b"", None),
}
"""A first part, a part that is repeated for ever, and the code that may be read; the connection stays open."""


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
@pytest.mark.parametrize("name", CASES)
def test_http_that_breaks_its_rules_is_answered_in_time(
    name: str, new_loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    """Each way to break HTTP leaves an answer within the timeout and a few MiB, and no success that was not sent
    whole.
    """
    begin, rest, code = CASES[name]

    async def asked() -> Answer:
        async with vendor(itertools.chain([begin], itertools.repeat(rest) if rest else [])) as url:
            return await ask(url, TIMEOUT if code is None else MARGIN)

    with asyncio.Runner(loop_factory=new_loop) as runner:
        tracemalloc.start()
        started = time.monotonic()
        answer = runner.run(asked())
        took = time.monotonic() - started
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert code == (answer.code if isinstance(answer, Reply) else None), answer
    assert not isinstance(answer, NotConnected)
    assert took < TIMEOUT + MARGIN
    assert peak < MEMORY


@pytest.mark.parametrize("at", [0, 9, 17, 40], ids=["status line", "status", "header", "body"])
async def test_a_byte_at_a_time_is_cut_off_in_time(at: int) -> None:
    """A reply that drips, from its first byte or its last, is given up at the timeout and counts for nothing."""
    reply = HEAD + b"Content-Length: 12\r\n\r\n" + ZERO
    drips = itertools.chain([reply[:at]] * bool(at), (bytes([byte]) for byte in reply[at:]))
    async with vendor(drips, pause=0.1) as url:
        started = time.monotonic()
        assert Unclear("no reply in time") == await ask(url, TIMEOUT)
        assert TIMEOUT <= time.monotonic() - started < TIMEOUT + MARGIN


async def test_a_reply_before_its_request_is_no_more_than_it_says() -> None:
    """A vendor that replies before the request is sent nothing, or, where the reply comes late, taken at its word."""
    for body, code in ((b'{"error": 99}', "99"), (b"{}", None)):
        sent = HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body
        async with vendor([sent], early=True) as url:
            answer = await ask(url, MARGIN)
        assert isinstance(answer, Reply | NotConnected)
        assert isinstance(answer, NotConnected) or code == answer.code


@pytest.mark.parametrize(
    "raw", [pytest.param(path.read_bytes(), id=path.stem) for path in sorted(CORPUS.glob("*.http"))]
)
async def test_each_reply_of_the_corpus_decodes_alike_over_a_socket(raw: bytes) -> None:
    """Each reply of the corpus is understood over the wire as it is from its bytes."""
    said = parse(raw)
    async with vendor([raw], stay=False) as url:
        answer = await ask(url, MARGIN)
    expected = understood(said)
    assert isinstance(answer, Reply)
    if expected.retry_after is None or (said.retry_after or "").isdigit():
        assert expected == answer
    else:  # a date: how long it is until then depends on when it is read
        assert (expected.http_status, expected.code) == (answer.http_status, answer.code)
        assert answer.retry_after is not None
