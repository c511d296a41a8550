"""A vendor that costs next to nothing: every round is in progress, every CancelRound gets a yes, and all is counted.

It runs in a process of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import uvloop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
CANCEL = re.compile(rb"POST /\S*/v4/CancelRound HTTP/1\.1\r\n")
STATUS = re.compile(rb"POST /\S*/history/GetRoundStatus HTTP/1\.1\r\n")
ROUND = re.compile(rb'"roundId": *"r(\d+)"')
_OFTEN = 255  # as far as a byte counts


@dataclass(frozen=True, slots=True)
class Counts:
    """The vendor's counters. `requests`: to cancel; `repeated`: rounds cancelled more than once; times in seconds, on
    the monotonic clock.
    """

    requests: int
    rounds: int
    repeated: int
    not_understood: int
    peak_in_flight: int
    first: float
    last: float
    questions: int


class CheapVendor:
    """The process, as a test sees it. Rounds have to be called r0, r1, r2 and so on: a byte counts each of them."""

    def __init__(self, url: str, pid: int) -> None:
        self.url, self.pid = url, pid

    def counts(self) -> Counts:
        """The counters since it was started or reset."""
        return Counts(**json.loads(self.ask("counts")))

    def heard(self) -> bytes:
        """How often each round was asked for, by number."""
        return self.ask("heard")

    def reset(self) -> None:
        """Forget everything."""
        self.ask("reset")

    def ask(self, what: str) -> bytes:
        """Get its answer to a request for its counters."""
        connection = HTTPConnection(self.url.removeprefix("http://"), timeout=30)
        try:
            connection.request("GET", f"/{what}")
            return connection.getresponse().read()
        finally:
            connection.close()


@contextmanager
def cheap_vendor(latency: float = 0.0) -> Iterator[CheapVendor]:
    """Start one that answers after so many seconds, and stop it in the end."""
    with serving([sys.executable, str(Path(__file__)), "--latency", str(latency)]) as (url, pid):
        yield CheapVendor(url, pid)


@contextmanager
def serving(command: Sequence[str], cwd: Path | None = None) -> Iterator[tuple[str, int]]:
    """Start a process that writes its URL first of all, tell that and its id, and stop it in the end."""
    with subprocess.Popen(command, cwd=cwd, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip(), process.pid
        finally:
            process.terminate()


class _Book:
    """The requests."""

    def __init__(self, latency: float) -> None:
        self.latency = latency
        self.reset()

    def reset(self) -> None:
        self.times = bytearray()
        self.questions = self.requests = self.not_understood = self.in_flight = self.peak_in_flight = 0
        self.first = self.last = 0.0

    def note(self, number: int) -> None:
        self.last = time.monotonic()
        self.first = self.first or self.last
        self.requests += 1
        if number >= len(self.times):
            self.times.extend(bytes(number + 1 - len(self.times) + 100_000))
        self.times[number] = min(self.times[number] + 1, _OFTEN)

    def counts(self) -> dict[str, Any]:
        never = self.times.count(0)
        rounds = len(self.times) - never
        return {
            "requests": self.requests,
            "rounds": rounds,
            "repeated": rounds - self.times.count(1),
            "not_understood": self.not_understood,
            "peak_in_flight": self.peak_in_flight,
            "first": self.first,
            "last": self.last,
            "questions": self.questions,
        }


class Connection(asyncio.Protocol):
    """Just enough HTTP/1.1 for a client that asks one thing at a time and keeps the connection."""

    def __init__(self) -> None:
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        length = _LENGTH.search(self._buffer, 0, end)
        whole = end + 4 + (int(length[1]) if length else 0)
        if len(self._buffer) < whole:
            return
        request, self._buffer = self._buffer[:whole], self._buffer[whole:]
        self.answer(request, end)

    def answer(self, request: bytes, end: int) -> None:
        """Answer, now or later, a request whose head ends there."""
        raise NotImplementedError

    def send(self, kind: bytes, body: bytes, status: bytes = b"200 OK") -> None:
        """Send a reply."""
        head = b"HTTP/1.1 %b\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n"
        self.transport.write(head % (status, kind, len(body)) + body)


class _Counted(Connection):
    """Says yes."""

    def __init__(self, book: _Book) -> None:
        super().__init__()
        self._book = book

    def answer(self, request: bytes, end: int) -> None:
        if CANCEL.match(request) and (round_id := ROUND.search(request, end)):
            self._cancel(round_id[1])
        elif STATUS.match(request) and (round_id := ROUND.search(request, end)):
            self._say_status(round_id[1])
        else:
            self._tell(request)

    def _cancel(self, number: bytes) -> None:
        book = self._book
        book.note(int(number))
        book.in_flight += 1
        book.peak_in_flight = max(book.peak_in_flight, book.in_flight)
        self._answer(
            b'{"error":0,"description":"Success","currency":"EUR","amount":1.50,"transactionId":"bet-r%b"}' % number
        )

    def _say_status(self, number: bytes) -> None:
        self._book.questions += 1
        self._book.in_flight += 1
        self._answer(
            b'{"error":0,"description":"Success","roundId":"r%b","currency":"EUR","betAmount":"1.50","winAmount":"0",'
            b'"roundStatus":"InProgress"}' % number
        )

    def _answer(self, body: bytes) -> None:
        book = self._book
        if book.latency:
            asyncio.get_running_loop().call_later(book.latency, self._reply, body)
        else:
            self._reply(body)

    def _reply(self, body: bytes) -> None:
        self._book.in_flight -= 1
        self.send(b"application/json", body)

    def _tell(self, request: bytes) -> None:
        match request.split(b" ", 2)[1]:
            case b"/counts":
                self.send(b"application/json", json.dumps(self._book.counts()).encode())
            case b"/heard":
                self.send(b"application/octet-stream", bytes(self._book.times))
            case b"/reset":
                self._book.reset()
                self.send(b"application/json", b"{}")
            case _:
                self._book.not_understood += 1
                self.send(b"application/json", b'{"error":"20","description":"not understood"}')


async def serve(connection: Callable[[], Connection]) -> None:
    """Listen until SIGTERM; the URL is written to stdout."""
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    server = await loop.create_server(connection, "127.0.0.1", 0, backlog=1024)
    sys.stdout.write(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await stopped.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each reply")
    kept = _Book(parser.parse_args().latency)
    uvloop.run(serve(lambda: _Counted(kept)))
