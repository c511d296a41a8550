"""The short way for plain replies, beside aiohttp's own parser."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from aiohttp.client_proto import ResponseHandler
from hypothesis import example, given
from hypothesis import strategies as st

from retention.core.sending.plain_reply import LIMIT_BYTES, PlainReply, read_plain_reply

if TYPE_CHECKING:
    from collections.abc import Sequence

OK = b"HTTP/1.1 200 OK"
BODY = b'{"error":0}'
DATE = b"Date: Fri, 02 Oct 2026 05:00:01 GMT"

LINES = st.sampled_from(
    (
        *(
            b"Content-Length: 11",
            b"content-length:11",
            b"Content-Length: 11 ",
            b"Content-Length: 012",
            b"Content-Length: +11",
        ),
        *(
            b"Content-Length: 11, 11",
            b"Content-Length: 0",
            b"Content-Length:",
            b"Content-Length : 11",
            b" Content-Length: 11",
        ),
        *(
            b"Transfer-Encoding: chunked",
            b"transfer-encoding:identity",
            b"Connection: keep-alive",
            b"Connection: close",
        ),
        *(
            b"Connection: Keep-Alive, close",
            b"Proxy-Connection: close",
            b"Upgrade: h2c",
            b"Content-Encoding: gzip",
            b"X: \t",
        ),
        *(
            b"X-Request-Id: 7f3a",
            b"X: \xe4",
            b"X: a\rb",
            b"X: \x00",
            b" folded",
            b": empty",
            b"no colon",
            DATE,
            b"date: x",
        ),
    )
)
"""Lines of a head: plain ones, and such as change what a reply is."""


def reply(*lines: bytes, body: bytes = BODY, first: bytes = OK) -> bytes:
    """A reply with these lines in its head."""
    return b"\r\n".join([first, *lines, b"", body])


def read_by_aiohttp(data: bytes) -> PlainReply | None:
    """What aiohttp makes of the same bytes; None unless it is one whole reply after which the connection is usable."""
    loop = asyncio.new_event_loop()
    try:
        handler = ResponseHandler(loop)
        handler.set_response_params(read_until_eof=True, auto_decompress=False)
        handler.data_received(data)
        if len(handler) != 1:
            return None
        message, payload = loop.run_until_complete(handler.read())
        if message.code != 200 or handler.should_close or not payload.is_eof():
            return None
        return PlainReply(loop.run_until_complete(payload.read()), message.headers.get("Date"))
    finally:
        loop.close()


@given(
    st.lists(LINES, max_size=5).map(lambda lines: [b"Content-Length: 11", *lines]) | st.lists(LINES, max_size=5),
    st.sampled_from((BODY, BODY[:-1], BODY + b"x", b"", BODY + OK, b"b\r\n" + BODY + b"\r\n0\r\n\r\n")),
    st.sampled_from(
        (OK, OK, OK, b"HTTP/1.0 200 OK", b"HTTP/1.1 204 No", b"HTTP/1.1 200", b"HTTP/1.1 100 Go", b"http/1.1 200 OK")
    ),
)
@example([b"Content-Length: 11", DATE, b"date: x"], BODY, OK)
@example([b"Content-Length: 11", b"Content-Length: 11"], BODY, OK)
def test_a_plain_reply_is_what_aiohttp_reads(lines: Sequence[bytes], body: bytes, first: bytes) -> None:
    """Whatever the short way reads, aiohttp reads alike, and leaves the connection usable."""
    data = reply(*lines, body=body, first=first)
    found = read_plain_reply(data)
    assert found is None or found == read_by_aiohttp(data)


@given(st.data())
def test_a_damaged_reply_is_read_alike_or_not_at_all(data: st.DataObject) -> None:
    """A byte put in, left out or changed anywhere in a plain reply makes no reply that aiohttp would read otherwise."""
    whole = reply(b"Content-Type: application/json", DATE, b"Content-Length: 11", b"Connection: keep-alive")
    at = data.draw(st.integers(0, len(whole) - 1))
    put = data.draw(st.sampled_from((b"", b"\r", b"\n", b"\r\n", b"\x00", b" ", b":", b"1", b"\xff")))
    damaged = whole[:at] + put + whole[at + data.draw(st.integers(0, 1)) :]
    found = read_plain_reply(damaged)
    assert found is None or found == read_by_aiohttp(damaged)


@pytest.mark.parametrize(
    "lines",
    [
        [b"Content-Length: 11"],
        [b"Content-Type: application/json", b"Content-Length: 11"],
        [b"Server: nginx", DATE, b"Content-Type: application/json", b"content-length:11", b"Connection: keep-alive"],
    ],
)
def test_usual_replies_are_plain(lines: Sequence[bytes]) -> None:
    """The replies of usual servers take the short way, with their Date."""
    date = DATE.decode().removeprefix("Date: ") if DATE in lines else None
    assert PlainReply(BODY, date) == read_plain_reply(reply(*lines)) == read_by_aiohttp(reply(*lines))


@pytest.mark.parametrize(
    "data",
    [
        reply(b"Content-Length: 11")[:-1],
        reply(b"Content-Length: 11") + b"H",
        reply(b"Content-Length: 11", b"Connection: close"),
        reply(b"Content-Length: 11", b"Transfer-Encoding: chunked"),
        reply(b"Content-Length: 11", first=b"HTTP/1.1 429 Too Many Requests"),
        reply(b"Content-Length: %d" % LIMIT_BYTES, body=b" " * LIMIT_BYTES),
        reply(b"X: " + b"x" * 4096, b"Content-Length: 11"),
        b"",
    ],
    ids=["cut", "more", "closes", "chunked", "another status", "long", "a long head", "nothing"],
)
def test_other_replies_are_not_plain(data: bytes) -> None:
    """A reply that is cut, followed by bytes, framed otherwise, refused or long is left to aiohttp."""
    assert None is read_plain_reply(data)
