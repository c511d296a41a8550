"""strace: a command's calls on its sockets, and an injection at exactly the n-th of those calls."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

CALLS = ("connect", "sendto", "recvfrom", "sendmsg", "recvmsg", "write", "writev", "read", "readv")
"""Every call by which a program connects, sends or receives. libpq and uvloop use some of them, others some day."""

# `write(15<TCP:[127.0.0.1:38582->127.0.0.1:38971]>, ...`, one line for each call; the rest of an interrupted one begins
# with `<...` and is not counted again.
_LINE = re.compile(r"^(?P<task>\d+) +(?P<call>\w+)\((?P<fd>\d+)<(?P<kind>[\w-]*)(?P<text>.*)$")
_NETWORK = {"TCP", "TCPv6", "UNIX", "UNIX-STREAM"}
_SHOWN = 160


@dataclass(frozen=True, slots=True)
class Point:
    """The n-th use of a call by one thread of a command, from 1."""

    call: str
    number: int

    def __str__(self) -> str:
        return f"{self.call} {self.number}"


@dataclass(frozen=True, slots=True)
class Call:
    """A call as it was seen. `kind`: the other end, such as TCP; `line`: the call as strace shows it."""

    point: Point
    kind: str
    line: str

    @property
    def network(self) -> bool:
        """Whether it was about a socket: files, pipes and counters are read and written by the same calls."""
        return self.kind in _NETWORK


@cache
def missing() -> str | None:
    """Why nothing can be traced here, or None where it can."""
    if shutil.which("strace") is None:
        return "there is no strace here; install the package strace"
    try:
        tried = subprocess.run(
            ["strace", "-f", "--seccomp-bpf", "-qq", "-e", "trace=none", "true"],
            capture_output=True,
            text=True,
            check=False,
            timeout=20,
        )
    except subprocess.TimeoutExpired:
        return "strace cannot trace here: it did not end"
    if tried.returncode:
        return f"strace cannot trace here: {(tried.stderr.strip() or str(tried.returncode)).splitlines()[0]}"
    return None


def watching(log: Path, calls: Sequence[str] = CALLS, *, fast: bool = True) -> list[str]:
    """The words that go before a command so that these calls of it are written down."""
    # With the filter, the kernel stops a command at these calls only; but then it throws injected signals away.
    filtering = ["--seccomp-bpf"] if fast else []
    shown = ["-qq", "-yy", "-s", "60", "-o", str(log), "-e", f"trace={','.join(calls)}"]
    return ["strace", "-f", *filtering, *shown]


def striking(log: Path, point: Point, blow: str) -> list[str]:
    """The words that go before a command for which this call is to be its last, or to go wrong, as `blow` says."""
    words = watching(log, [point.call], fast=not blow.startswith("signal="))
    return [*words, "-e", f"inject={point.call}:{blow}:when={point.number}"]


def seen(log: Path) -> list[Call]:
    """The calls that were written down, in their order."""
    counts: Counter[tuple[str, str]] = Counter()
    found = []
    for line in log.read_text("utf-8", "replace").splitlines():
        if match := _LINE.match(line):
            key = match["task"], match["call"]
            counts[key] += 1
            shown = line.removeprefix(match["task"]).strip()[:_SHOWN]
            found.append(Call(Point(match["call"], counts[key]), match["kind"], shown))
    return found


def struck(log: Path, point: Point) -> Call | None:
    """The call that was hit, or None where the command ended before it came to that."""
    return next((call for call in seen(log) if call.point == point), None)
