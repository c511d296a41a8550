"""A vendor with a long tail and a few faults, which keeps the moment of each request. It runs in a process of its own.

It refuses no round for good: a resend or a status question finds out its effect. It honours each cancel request that no
fault keeps from it, a second one for the same round as well, and so can report both.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import sys
import time
from array import array
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from math import log
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import uvloop
from support.cheap_vendor import CANCEL, ROUND, CheapVendor, Connection, serve, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

MEDIAN, SPREAD = 0.025, 1.1
"""Latency of a reply: log-normal, with a median in seconds and the standard deviation of its logarithm."""

LEAST, MOST = 0.001, 0.5
"""Seconds; a longer drawn time is cut to this."""

FAULTY = 0.02
"""Share of the cancel requests that something goes wrong with."""

_BEAT = 0.005
"""Seconds between looks at the clock."""

_STATUS = re.compile(rb"POST /\S*/history/GetRoundStatus HTTP/1\.1\r\n")
_JSON = b"application/json"


@dataclass(frozen=True, slots=True)
class _Fault:
    """A fault. `effect`: the round is cancelled all the same. Without a status the connection is cut."""

    effect: bool
    status: bytes = b""
    body: bytes = b""


_FAULTS = (
    _Fault(effect=False),
    _Fault(effect=True),
    _Fault(effect=False, status=b"500 Internal Server Error", body=b"{}"),
    _Fault(effect=True, status=b"502 Bad Gateway", body=b"{}"),
    _Fault(effect=False, status=b"200 OK", body=b'{"error":"998","description":"internal error, try again"}'),
)


@dataclass(frozen=True, slots=True)
class Heard:
    """The requests of a kind in their order: when they arrived, in seconds on the monotonic clock, and for which
    round.
    """

    times: array[float]
    rounds: array[int]

    def note(self, at: float, number: int) -> None:
        """Add one."""
        self.times.append(at)
        self.rounds.append(number)


def nothing_heard(times: bytes = b"", rounds: bytes = b"") -> Heard:
    """Begin a list, or read one."""
    return Heard(array("d", times), array("I", rounds))


@dataclass(slots=True)
class Figures:
    """Counts of requests, and the longest time in seconds for which the vendor did not get round to reading any.

    `again`: cancel requests for a round that it had already said was cancelled.
    """

    cancels: int = 0
    again: int = 0
    not_understood: int = 0
    stall: float = 0.0


class TailedVendor(CheapVendor):
    """The process, as a benchmark sees it. Rounds have to be called r0, r1, r2 and so on."""

    def requests(self, kind: str) -> Heard:
        """All that it was asked, of the kind `cancel` or `status`."""
        return nothing_heard(self.ask(f"{kind}/times"), self.ask(f"{kind}/rounds"))

    def cancelled(self) -> bytes:
        """How often it cancelled each round, by number."""
        return self.ask("cancelled")

    def figures(self) -> Figures:
        """The counters that the vendor can send at any time, without being kept from its work."""
        return Figures(**json.loads(self.ask("figures")))


@contextmanager
def tailed_vendor(rounds: int, seed: int) -> Iterator[TailedVendor]:
    """Start one that knows so many rounds, and stop it in the end."""
    command = [sys.executable, "-m", "bench.tailed_vendor", str(rounds), str(seed)]
    with serving(command, cwd=Path(__file__).parents[1]) as (url, pid):
        yield TailedVendor(url, pid)


class _Book:
    """The requests, and the true states."""

    def __init__(self, rounds: int, seed: int) -> None:
        self.heard = {"cancel": nothing_heard(), "status": nothing_heard()}
        self.cancelled = bytearray(rounds)
        self.said = bytearray(rounds)
        self.figures = Figures()
        self._random = Random(seed)

    def latency(self) -> float:
        return min(max(self._random.lognormvariate(log(MEDIAN), SPREAD), LEAST), MOST)

    def fault(self) -> _Fault | None:
        return self._random.choice(_FAULTS) if self._random.random() < FAULTY else None

    def beat(self, due: float) -> None:
        """Notice stalls, from the first request on."""
        now = time.monotonic()
        if self.figures.cancels:
            self.figures.stall = max(self.figures.stall, now - due)
        asyncio.get_running_loop().call_later(_BEAT, self.beat, now + _BEAT)


class _Door(Connection):
    """Answers in its own time."""

    def __init__(self, book: _Book) -> None:
        super().__init__()
        self._book = book

    def answer(self, request: bytes, end: int) -> None:
        at = time.monotonic()
        round_id = ROUND.search(request, end)
        number = int(round_id[1]) if round_id else len(self._book.cancelled)
        later = asyncio.get_running_loop().call_later
        if number >= len(self._book.cancelled):
            self._administer(request)
        elif CANCEL.match(request):
            self._book.heard["cancel"].note(at, number)
            self._book.figures.cancels += 1
            self._book.figures.again += self._book.said[number]
            later(self._book.latency(), self._cancel, number, self._book.fault())
        elif _STATUS.match(request):
            self._book.heard["status"].note(at, number)
            later(self._book.latency(), self._describe, number)
        else:
            self._administer(request)

    def _cancel(self, number: int, fault: _Fault | None) -> None:
        if fault is None or fault.effect:
            self._book.cancelled[number] += 1
        if fault is None:
            success = b'{"error":0,"description":"Success","currency":"EUR","amount":1.50,"transactionId":"bet-r%d"}'
            self._tell(number, success % number)
        elif fault.status:
            self.send(_JSON, fault.body, fault.status)
        else:
            self.transport.abort()

    def _describe(self, number: int) -> None:
        status = b"Canceled" if self._book.cancelled[number] else b"InProgress"
        fields = b'"roundId":"r%d","currency":"EUR","betAmount":"1.50","winAmount":"0","roundStatus":"%b"'
        self._tell(number, b'{"error":"0","description":"Success",' + fields % (number, status) + b"}")

    def _tell(self, number: int, body: bytes) -> None:
        """Say how it is; from here on the client can know, unless it has gone."""
        if not self.transport.is_closing():
            self._book.said[number] = min(self._book.cancelled[number], 1)
            self.send(_JSON, body)

    def _administer(self, request: bytes) -> None:
        book = self._book
        match request.split(b" ", 2)[1].decode("ascii", "replace").strip("/").split("/"):
            case [("cancel" | "status") as kind, ("times" | "rounds") as what]:
                self.send(b"application/octet-stream", getattr(book.heard[kind], what).tobytes())
            case ["cancelled"]:
                self.send(b"application/octet-stream", bytes(book.cancelled))
            case ["figures"]:
                self.send(_JSON, json.dumps(asdict(book.figures)).encode())
            case _:
                book.figures.not_understood += 1
                self.send(_JSON, b'{"error":"20","description":"not understood"}')


async def _serve(book: _Book) -> None:
    book.beat(time.monotonic())
    await serve(lambda: _Door(book))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rounds", type=int)
    parser.add_argument("seed", type=int)
    asked = parser.parse_args()
    with suppress(PermissionError):
        os.nice(-15)  # a vendor has a machine of its own: a request that waits for a processor here has arrived already
    uvloop.run(_serve(_Book(asked.rounds, asked.seed)))
