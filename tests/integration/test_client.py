"""The HTTP client over real sockets: how far a request came, the reply, and that no request is ever sent twice."""

from __future__ import annotations

import asyncio
import gzip
import json
import math
import os
import socket
import struct
import subprocess
import sys
import textwrap
import time
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import uvloop
from support.tls import localhost_tls

from retention.core.model import NotConnected, Reply, Unclear
from retention.core.sending.wire import REPLY_LIMIT_BYTES
from retention.simulator.faults import Faults
from retention.simulator.server import Round, RoundStatus, Simulator
from retention.vendor_api.client import Exchange, VendorClient

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("way_of_replies")

TOKEN = "t0ken-of-the-partner"
FIELDS = {"secureLogin": "acme", "userId": "tester", "roundId": "R-1", "token": TOKEN, "uuid": "u-1"}
BODY = json.dumps(FIELDS).encode()
DONE = b'{"error": 0}'
SHORT = 0.3
"""Seconds: a timeout that a test waits for."""


@dataclass
class Door:
    """A server of raw bytes: it keeps its requests and connections, and answers each by a script."""

    talk: Callable[[Door, asyncio.StreamWriter], Awaitable[None]]
    port: int = 0
    connections: int = 0
    heads: list[bytes] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    tasks: set[asyncio.Task[Any]] = field(default_factory=set)

    @property
    def url(self) -> str:
        """Where a call goes."""
        return f"http://127.0.0.1:{self.port}/secret-path/v4/CancelRound"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read requests one after the other, and let `talk` answer each."""
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        self.connections += 1
        with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
                self.bodies.append(await reader.readexactly(int(length.split(b":")[1])))
                self.heads.append(head)
                await self.talk(self, writer)
        self.gone.set()
        writer.close()


@asynccontextmanager
async def served(
    talk: Callable[[Door, asyncio.StreamWriter], Awaitable[None]], *, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Door]:
    """Serve until the end of the block."""
    door = Door(talk)
    server = await asyncio.start_server(door.serve, "127.0.0.1", 0, ssl=tls)
    door.port = server.sockets[0].getsockname()[1]
    try:
        yield door
    finally:
        server.close()
        for task in door.tasks:
            task.cancel()
        await asyncio.gather(*door.tasks)


def http(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    """A whole reply."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def chunked(*chunks: bytes, headers: bytes = b"") -> bytes:
    """A whole reply of chunks."""
    parts = [b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in (*chunks, b"")]
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" + headers + b"\r\n" + b"".join(parts)


def says(*replies: bytes, close: bool = False) -> Callable[[Door, asyncio.StreamWriter], Awaitable[None]]:
    """Answer with these bytes, each once, the last one ever after."""
    left = list(replies)

    async def talk(_door: Door, writer: asyncio.StreamWriter) -> None:
        writer.write(left.pop(0) if len(left) > 1 else left[0])
        await writer.drain()
        if close:
            writer.close()

    return talk


def resets(after: bytes) -> Callable[[Door, asyncio.StreamWriter], Awaitable[None]]:
    """Answer with these bytes, then end the connection as a crash does."""

    async def talk(_door: Door, writer: asyncio.StreamWriter) -> None:
        writer.write(after)
        await writer.drain()
        reset(writer)

    return talk


def reset(writer: asyncio.StreamWriter) -> None:
    """Send a reset where closing would be a polite goodbye."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def hangs(_door: Door, writer: asyncio.StreamWriter) -> None:
    """Never answer."""
    await writer.wait_closed()


async def looked_around() -> None:
    """Run the loop a few times, so that it reads its sockets: bytes sent on this host arrive at once."""
    for _ in range(20):
        await asyncio.sleep(0)


async def post(client: VendorClient, url: str) -> Exchange:
    """Send a request, and check the result against the rules that hold for every result."""
    before = time.monotonic()
    exchange = await client.post(url, BODY)
    answer, after = exchange.answer, time.monotonic()
    match answer:
        case NotConnected(why):
            assert (None, None) == (exchange.sent_at, exchange.replied_at)
        case Unclear(why):
            assert exchange.sent_at is not None
            assert exchange.replied_at is None
        case Reply():
            why = answer.problem or ""
            assert exchange.replied_at is not None
            assert exchange.sent_at is not None
            assert before <= exchange.sent_at <= exchange.replied_at <= after
    parts = urlsplit(url)
    for secret in (url, parts.netloc, str(parts.hostname), f":{parts.port}", "secret-path", TOKEN, "acme", "127.0.0.1"):
        assert secret not in why
    assert why.isprintable()
    return exchange


async def ask(url: str, timeout: float = 5.0) -> Exchange:  # noqa: ASYNC109 - the client's own
    """Send one request with a client of its own."""
    async with VendorClient(timeout=timeout) as client:
        return await post(client, url)


async def ask_briefly(url: str) -> Exchange:
    """Send one request that waits for the short timeout."""
    async with VendorClient(timeout=SHORT) as client:
        await connected(client, url)
        return await post(client, url)


async def connected(client: VendorClient, url: str) -> None:
    """Wait for a connection: on a busy machine, to make one may take the short timeout."""
    while await client.connect(url) == NotConnected("no connection: timed out"):
        pass


def fault(**table: Any) -> Faults:
    """A vendor whose every call has this fault."""
    return Faults.of({"call": "any", **table})


LOOPS = pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])


async def test_a_round_is_cancelled() -> None:
    """The vendor's own reply comes back understood, exact, and with the moments of the request."""
    rounds = [Round("acme", "R-1", currency="SEK", amount=Decimal("12.500000000000000001"), transaction_id="bet-7")]
    async with Simulator(rounds, token=TOKEN) as vendor:
        found = await ask(f"{vendor.url}/v4/CancelRound")
    expected = Reply(200, "0", "Success", "SEK", Decimal("12.500000000000000001"), "bet-7")
    assert expected == found.answer
    assert RoundStatus.CANCELED == rounds[0].status


async def test_a_round_is_asked_about() -> None:
    """GetRoundStatus comes back with the round's status, bet and winnings."""
    async with Simulator([Round("acme", "R-1", amount=Decimal("1.50"))]) as vendor:
        found = await ask(f"{vendor.url}/history/GetRoundStatus")
    expected = Reply(200, "0", "Success", "EUR", round_id="R-1", round_status="InProgress", bet_amount=Decimal("1.50"))
    assert expected._replace(winnings=Decimal(0)) == found.answer


@LOOPS
@pytest.mark.parametrize(
    ("answer", "effect", "table"),
    [
        (Unclear("the connection broke: connection reset by peer"), False, {"cut": "before"}),
        (Unclear("the connection broke: connection reset by peer"), True, {"cut": "after"}),
        (Unclear("the reply was cut off"), True, {"cut": "middle"}),
        (Unclear("no reply in time"), False, {"hang": "before"}),
        (Unclear("no reply in time"), True, {"hang": "after"}),
        (Unclear("no reply in time"), True, {"delay": 30}),
        (Reply(200, problem="the reply is longer than 65536 bytes"), True, {"oversize": True}),
        (Reply(200, problem="the reply is not JSON"), False, {"body": "<html>busy</html>"}),
        (Reply(307, problem="HTTP 307"), False, {"redirect": "http://127.0.0.1:9/"}),
        (Reply(500, problem="HTTP 500"), False, {"status": 500}),
        (Reply(429, retry_after=7.0, problem="HTTP 429"), False, {"status": 429, "headers": {"retry-after": 7}}),
        (Reply(503, retry_after=0.0, problem="HTTP 503"), False, {"status": 503, "headers": {"Retry-After": "0"}}),
        (Reply(401, problem="HTTP 401"), False, {"status": 401, "body": '{"error": 0}'}),
        (Reply(400, problem="HTTP 400"), False, {"status": 400}),
        (Reply(200, "998", ""), False, {"code": 998}),
        (Reply(204, problem="the reply is not JSON"), False, {"status": 204}),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_each_vendor_fault_is_reported_as_itself(
    answer: Any, effect: bool, table: dict[str, Any], new_loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    """Each fault is reported as itself, on either event loop, after one request."""

    async def asked() -> tuple[Exchange, Simulator]:
        rounds = [Round("acme", "R-1", currency="", transaction_id="-")]
        async with Simulator(rounds, faults=fault(**table)) as vendor:
            call = ask_briefly if answer == Unclear("no reply in time") else ask
            found = await call(f"{vendor.url}/v4/CancelRound")
            await vendor.until(lambda: bool(vendor.requests) and vendor.requests[0].answer != "")
            return found, vendor

    if "delay" in table:
        table = {**table, "delay": SHORT + 0.1}
    with asyncio.Runner(loop_factory=new_loop) as runner:
        found, vendor = runner.run(asked())
    assert answer == found.answer
    assert [effect] == [request.effect for request in vendor.requests]


async def test_a_refused_connection_is_no_connection() -> None:
    """A connection to a closed port is reported as not sent."""
    async with served(hangs) as door:
        pass
    assert NotConnected("no connection: connection refused") == (await ask(door.url)).answer


async def test_an_unresolved_name_is_no_connection() -> None:
    """A name that cannot be resolved sent no request; a resolver that does not answer is the same, in other words."""
    found = (await ask("https://vendor.invalid/secret-path")).answer
    whys = {"no connection: the name could not be resolved", "no connection: timed out"}
    assert isinstance(found, NotConnected)
    assert found.why in whys


@pytest.mark.parametrize(
    "url", ["", "vendor.invalid", "http://", "ftp://127.0.0.1/x", "http://127.0.0.1:99999/", "http://[::1"]
)
async def test_an_invalid_address_is_no_connection(url: str) -> None:
    """An invalid web address sends nothing, and raises nothing."""
    async with VendorClient(timeout=5) as client:
        found = await client.post(url, BODY)
    assert isinstance(found.answer, NotConnected)
    assert "127" not in found.answer.why


async def test_a_connect_timeout_is_no_connection() -> None:
    """A timeout before the connection is made sent no request."""
    with socket.socket() as full, socket.socket() as first, socket.socket() as second:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for one in (first, second):
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        found = await ask(f"http://127.0.0.1:{full.getsockname()[1]}/secret-path", SHORT)
    assert NotConnected("no connection: timed out") == found.answer


@pytest.fixture
def tls(tmp_path: Path) -> ssl.SSLContext:
    """Return a server's side of TLS with an untrusted certificate."""
    context, _ = localhost_tls(tmp_path)
    return context


async def test_an_unsigned_certificate_is_no_connection(tls: ssl.SSLContext) -> None:
    """Certificates are verified: an untrusted server gets no request, and so no token."""
    async with served(says(http(DONE)), tls=tls) as door:
        found = await ask(door.url.replace("http:", "https:"))
        assert isinstance(found.answer, NotConnected)
        assert "is signed by no authority that this machine trusts (it signs itself)" in found.answer.why
        assert [] == door.bodies


def test_a_certificate_that_is_trusted_is_a_connection(tls: ssl.SSLContext, tmp_path: Path) -> None:
    """An operator whose proxy signs for itself names its certificate in SSL_CERT_FILE, and TLS works."""
    script = """
        import asyncio, sys
        from retention.vendor_api.client import VendorClient

        async def ask() -> None:
            async with VendorClient(timeout=5) as client:
                print((await client.post(sys.argv[1], b"{}")).answer.code)

        asyncio.run(ask())
    """

    async def asked() -> tuple[str, int]:
        async with served(says(http(DONE)), tls=tls) as door:
            process = await asyncio.create_subprocess_exec(
                *(
                    sys.executable,
                    "-c",
                    textwrap.dedent(script),
                    door.url.replace("http://127.0.0.1", "https://localhost"),
                ),
                env={**os.environ, "SSL_CERT_FILE": str(tmp_path / "localhost.pem")},
                stdout=subprocess.PIPE,
            )
            return (await process.communicate())[0].decode(), len(door.bodies)

    assert ("0\n", 1) == asyncio.run(asked())


async def test_a_server_without_tls_is_no_connection() -> None:
    """A plain server that is spoken to over TLS is sent no request, whether it answers in its own words or hangs up."""
    for talk in (says(b"HTTP/1.1 400 Bad Request\r\n\r\n", close=True), resets(b"")):

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, talk: Any = talk) -> None:
            await reader.read(1)
            with suppress(ConnectionError):
                await talk(None, writer)

        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            found = (await ask(f"https://127.0.0.1:{port}/secret-path")).answer
            server.close()
        assert isinstance(found, NotConnected)


async def test_a_handshake_that_never_ends_is_no_connection() -> None:
    """A timeout during the TLS handshake: no request has left."""
    async with served(hangs) as door:
        found = await ask(door.url.replace("http:", "https:"), SHORT)
        assert NotConnected("no connection: the TLS handshake timed out") == found.answer
        assert [] == door.bodies


@pytest.mark.parametrize(
    ("why", "sent"),
    [
        ("the connection was closed before a reply", b""),
        ("the reply was cut off", http(DONE)[:-1]),
        ("the reply was cut off", chunked(DONE)[:-3]),
        ("the reply was cut off", chunked(DONE)[:-10]),
        ("the connection was closed before a reply", b"HTTP/1.1 200 OK\r\nContent-Le"),
        ("the reply is not HTTP", b"SSH-2.0-OpenSSH_9.6\r\n\r\n"),
        ("the reply is not HTTP", DONE + b"\r\n\r\n"),
        ("the reply is not HTTP", bytes(range(256))),
        ("the reply is not HTTP", http(DONE, "20")),
        ("the reply is not HTTP", http(DONE, "1000 No")),
        ("the reply is not HTTP", http(DONE, "200 OK", "Content-Length: 4")),
        ("the reply is not HTTP", http(DONE, "200 OK", "X: " + "x" * 70_000)),
        ("the reply is not HTTP", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n" + DONE),
        ("the reply is not HTTP", b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n" + DONE),
    ],
)
async def test_a_reply_that_breaks_off_or_is_no_http_is_unclear(why: str, sent: bytes) -> None:
    """The request was sent once and not again, and the reply leaves its effect unclear."""
    async with served(says(sent, close=True)) as door:
        assert Unclear(why) == (await ask(door.url)).answer
        assert ([BODY], 1) == (door.bodies, door.connections)


@pytest.mark.parametrize(
    "sent", [b"", b"HTTP/1.1 200", http(DONE)[:-1], chunked(DONE)[:-3], http(b"{" + b" " * 60_000)[:40_000]]
)
async def test_a_reset_is_unclear(sent: bytes) -> None:
    """A connection that is reset before the reply is whole leaves the request in doubt, wherever it breaks."""
    async with served(resets(sent)) as door:
        found = await ask(door.url)
        assert isinstance(found.answer, Unclear)
        assert ([BODY], 1) == (door.bodies, door.connections)


async def test_a_reply_without_a_length_is_as_long_as_the_connection() -> None:
    """A reply may end with its connection; one that ends too early is reported as invalid JSON."""
    for answer, body in ((Reply(200, "0"), DONE), (Reply(200, problem="the reply is not JSON"), DONE[:-1])):
        async with served(says(b"HTTP/1.1 200 OK\r\n\r\n" + body, close=True)) as door:
            assert answer == (await ask(door.url)).answer


async def test_a_body_that_drips_is_cut_off_in_time() -> None:
    """The timeout is from connecting to the last byte: a vendor that goes on sending cannot stretch it."""

    async def drips(door: Door, writer: asyncio.StreamWriter) -> None:
        writer.write(http(b" " * 1000)[:-1000])
        while not door.gone.is_set() and not writer.is_closing():
            writer.write(b" ")
            await asyncio.sleep(0.02)

    async with served(drips) as door:
        started = time.monotonic()
        assert Unclear("no reply in time") == (await ask_briefly(door.url)).answer
        assert SHORT <= time.monotonic() - started


PADDING = REPLY_LIMIT_BYTES - len(DONE)


@pytest.mark.parametrize(
    ("believed", "sent"),
    [
        (True, http(DONE + b" " * PADDING)),
        (True, chunked(DONE, b" " * PADDING)),
        (True, chunked(*(bytes([byte]) for byte in DONE + b" " * 2000))),
        (False, http(DONE + b" " * (PADDING + 1))),
        (False, chunked(DONE, b" " * (PADDING + 1))),
        (False, chunked(*([b" " * 1000] * 70), DONE)),
        (False, http(DONE + b" " * 5_000_000)),
        (False, b"HTTP/1.1 200 OK\r\n\r\n" + DONE + b" " * PADDING + b" "),
    ],
    ids=["64 KiB", "64 KiB in chunks", "single bytes", "declared", "chunks", "many chunks", "5 MB", "to the end"],
)
async def test_a_reply_above_64_kib_is_not_believed(believed: bool, sent: bytes) -> None:
    """One byte more than 64 KiB, however it is declared, and the reply is not read to its end and not believed."""
    async with served(says(sent, close=True)) as door:
        expected = Reply(200, "0") if believed else Reply(200, problem="the reply is longer than 65536 bytes")
        assert expected == (await ask(door.url)).answer


async def test_a_reply_beyond_the_limit_is_not_waited_for() -> None:
    """Of a reply that is longer than is believed the rest is not waited for, and its connection is not used again."""
    began = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n" + DONE + b" " * REPLY_LIMIT_BYTES

    async with served(says(began, http(DONE))) as door, VendorClient(timeout=5) as client:
        assert Reply(200, problem="the reply is longer than 65536 bytes") == (await post(client, door.url)).answer
        assert Reply(200, "0") == (await post(client, door.url)).answer
        assert 2 == door.connections


@pytest.mark.parametrize(
    "sent",
    [
        http(gzip.compress(DONE), "200 OK", "Content-Encoding: gzip"),
        http(gzip.compress(DONE + b" " * 50_000_000), "200 OK", "Content-Encoding: gzip"),
        chunked(gzip.compress(DONE), headers=b"Content-Encoding: gzip\r\n"),
    ],
    ids=["small", "bomb", "chunks"],
)
async def test_a_compressed_reply_is_not_unpacked(sent: bytes) -> None:
    """A compressed reply that was not asked for is kept as the bytes that arrived."""
    async with served(says(sent)) as door:
        assert Reply(200, problem="the reply is not UTF-8") == (await ask(door.url)).answer
        assert b"accept-encoding: identity" in door.heads[0].lower()


async def test_a_redirect_is_not_followed() -> None:
    """A redirect of any kind and to any target is not followed: the token goes nowhere else."""
    async with served(says(http(DONE))) as elsewhere:
        for status in (301, 302, 303, 307, 308):
            async with served(says(http(DONE, f"{status} Go", f"Location: {elsewhere.url}"))) as door:
                assert Reply(status, problem=f"HTTP {status}") == (await ask(door.url)).answer
        assert 0 == elsewhere.connections


@pytest.mark.parametrize("status", [101, 201, 299, 300, 304, 399, 400, 404, 408, 418, 499, 501, 502, 599, 600, 999])
async def test_every_http_status_comes_through(status: int) -> None:
    """Every HTTP status is reported unchanged; the body counts with 2xx alone."""
    body = b"" if status in {101, 304} else DONE
    async with served(says(http(body, f"{status} Words"), close=True)) as door:
        expected = Reply(status, "0") if status in {201, 299} else Reply(status, problem=f"HTTP {status}")
        assert expected == (await ask(door.url)).answer


async def test_an_interim_reply_is_waited_through() -> None:
    """1xx replies are no reply yet: the one that follows counts, and if none does, there was none in time."""
    interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
    async with served(says(interim + http(DONE))) as door:
        assert Reply(200, "0") == (await ask(door.url)).answer
    async with served(says(interim)) as door:
        assert Unclear("no reply in time") == (await ask_briefly(door.url)).answer


async def test_a_connection_is_used_again() -> None:
    """One connection serves one request after the other, and nothing that a reply set is sent back."""
    async with (
        served(says(http(DONE, "200 OK", "Set-Cookie: session=1; Path=/"))) as door,
        VendorClient(timeout=5) as client,
    ):
        for _ in range(3):
            assert Reply(200, "0") == (await post(client, door.url)).answer
        assert (1, 3) == (door.connections, len(door.bodies))
        assert b"cookie" not in b"".join(door.heads).lower()


@LOOPS
def test_a_connection_that_the_vendor_closed_is_not_used(new_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    """A connection closed between two requests, politely or not, costs nothing: the next one goes over a new one."""

    async def asked(end: Callable[[asyncio.StreamWriter], None]) -> list[object]:
        async def talk(door: Door, writer: asyncio.StreamWriter) -> None:
            writer.write(http(DONE))
            await writer.drain()
            await received[len(door.bodies) - 1].wait()
            end(writer)

        received = [asyncio.Event(), asyncio.Event()]
        async with served(talk) as door, VendorClient(timeout=5) as client:
            first = await post(client, door.url)
            received[0].set()
            await door.gone.wait()
            await looked_around()
            second = await post(client, door.url)
            received[1].set()
            return [first.answer, second.answer, door.connections, door.bodies]

    for end in (asyncio.StreamWriter.close, reset):
        with asyncio.Runner(loop_factory=new_loop) as runner:
            expected = [Reply(200, "0"), Reply(200, "0"), 2, [BODY, BODY]]
            assert expected == runner.run(asked(end))


@pytest.mark.parametrize("end", [asyncio.StreamWriter.close, reset])
async def test_a_request_into_a_closing_connection_is_in_doubt_and_not_repeated(
    end: Callable[[asyncio.StreamWriter], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that ends as a request arrives: it may have been heeded, so it is unclear and not sent again.

    After the second one in a row no connection is used a second time, and nothing more is in doubt.
    """
    # However long this machine stands still between reply and request, the end shows no limit on idle time.
    monkeypatch.setattr("retention.core.sending.connection_reuse.SOON_S", math.inf)
    served_before: set[asyncio.StreamWriter] = set()

    async def talk(_door: Door, writer: asyncio.StreamWriter) -> None:
        if writer in served_before:
            end(writer)
        else:
            served_before.add(writer)
            writer.write(http(DONE))
            await writer.drain()

    async with served(talk) as door, VendorClient(timeout=5) as client:
        for requests in (2, 4):
            assert Reply(200, "0") == (await post(client, door.url)).answer
            assert isinstance((await post(client, door.url)).answer, Unclear)
            assert (requests, requests // 2) == (len(door.bodies), door.connections)
        for requests in (5, 6, 7):
            assert Reply(200, "0") == (await post(client, door.url)).answer
            assert (requests, requests - 2) == (len(door.bodies), door.connections)


async def test_bytes_on_an_idle_connection_are_no_reply() -> None:
    """Bytes that arrive on an idle connection are not taken as the reply to the next request, which is another
    round's.
    """
    sent = asyncio.Event()

    async def talk(door: Door, writer: asyncio.StreamWriter) -> None:
        writer.write(http(b'{"error": "%d"}' % len(door.bodies)))
        await writer.drain()
        await sent.wait()
        writer.write(http(b'{"error": "999"}'))
        await writer.drain()

    async with served(talk) as door, VendorClient(timeout=5) as client:
        answers = []
        for _ in range(3):
            answers.append((await post(client, door.url)).answer)
            sent.set()
            await looked_around()
        assert [Reply(200, "1"), Reply(200, "2"), Reply(200, "3")] == answers
        assert 3 == door.connections


async def test_a_vendor_that_goes_away_while_its_connection_is_idle_is_no_connection() -> None:
    """A connection that received unasked bytes is not used: where no new one can be made, no request is sent."""

    async def talk(_door: Door, writer: asyncio.StreamWriter) -> None:
        writer.write(http(DONE))
        await writer.drain()
        await away.wait()
        writer.write(http(DONE, "408 Request Timeout"))
        await writer.drain()

    away = asyncio.Event()
    door = Door(talk)
    server = await asyncio.start_server(door.serve, "127.0.0.1", 0)
    door.port = server.sockets[0].getsockname()[1]
    async with VendorClient(timeout=5) as client:
        assert Reply(200, "0") == (await post(client, door.url)).answer
        server.close()
        away.set()
        await looked_around()
        assert NotConnected("no connection: connection refused") == (await post(client, door.url)).answer
    for task in door.tasks:
        task.cancel()
    await asyncio.gather(*door.tasks)


async def test_two_replies_to_one_request_do_not_shift_the_next() -> None:
    """A reply that comes twice at once is taken once, and the connection that holds the other is given up."""
    twice = [http(b'{"error": "%d"}' % n) * 2 for n in range(1, 4)]
    async with served(says(*twice)) as door, VendorClient(timeout=5) as client:
        answers = [(await post(client, door.url)).answer for _ in range(3)]
        assert [Reply(200, "1"), Reply(200, "2"), Reply(200, "3")] == answers


async def test_no_proxy_is_taken_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither a proxy nor a password of a .netrc file that happens to be around has a say in where the token goes."""
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login someone password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    async with served(says(http(DONE))) as door, served(says(http(b'{"error": 1}'))) as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("NO_PROXY", "")
        assert Reply(200, "0") == (await ask(door.url)).answer
        assert (0, 1) == (proxy.connections, door.connections)
        assert b"authorization" not in door.heads[0].lower()


async def test_a_request_has_the_method_path_and_body_of_the_contract() -> None:
    """POST, JSON, its length, the path as configured, and the body byte for byte."""
    async with served(says(http(DONE))) as door:
        await ask(door.url)
        lines = door.heads[0].decode().split("\r\n")
        assert "POST /secret-path/v4/CancelRound HTTP/1.1" == lines[0]
        assert {f"Host: 127.0.0.1:{door.port}", "Content-Type: application/json", f"Content-Length: {len(BODY)}"} <= {
            *lines
        }
        assert [BODY] == door.bodies


async def test_a_cancelled_call_closes_its_connection() -> None:
    """A call that is given up leaves no connection on which its late reply could meet the next request."""
    asked = asyncio.Event()

    async def talk(_door: Door, _writer: asyncio.StreamWriter) -> None:
        asked.set()

    async with served(talk) as door, VendorClient(timeout=5) as client:
        call = asyncio.create_task(post(client, door.url))
        await asked.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await door.gone.wait()
        door.talk = says(http(DONE))
        assert Reply(200, "0") == (await post(client, door.url)).answer
        assert 2 == door.connections


async def test_a_timed_out_call_closes_its_connection() -> None:
    """A reply that comes after the timeout meets a closed connection, and not the next request."""

    async def talk(door: Door, writer: asyncio.StreamWriter) -> None:
        if len(door.bodies) == 1:
            await door.gone.wait()
        writer.write(http(b'{"error": "%d"}' % len(door.bodies)))

    async with served(talk) as door, VendorClient(timeout=SHORT) as client:
        await connected(client, door.url)
        assert Unclear("no reply in time") == (await post(client, door.url)).answer
        while not isinstance(answer := (await post(client, door.url)).answer, Reply):
            pass  # on a busy machine, more replies come after the short timeout
        assert Reply(200, str(len(door.bodies))) == answer
        assert len(door.bodies) <= door.connections


async def test_calls_run_side_by_side() -> None:
    """As many calls as may be in flight are, each on a connection of its own, and every one gets its own answer."""
    together = asyncio.Event()

    async def talk(door: Door, writer: asyncio.StreamWriter) -> None:
        n = len(door.bodies)
        if n == 50:
            together.set()
        await together.wait()
        writer.write(http(json.dumps({"error": str(n)}).encode()))

    async with served(talk) as door, VendorClient(timeout=10) as client:
        found = await asyncio.gather(*(post(client, door.url) for _ in range(50)))
        codes = [one.answer.code for one in found if isinstance(one.answer, Reply)]
        assert sorted(str(n) for n in range(1, 51)) == sorted(filter(None, codes))
        assert 50 == door.connections
