"""A standard stream takes every line at once, whatever its reader does, and loses none without saying so."""

from __future__ import annotations

import os
import resource
import socket
import termios
import threading
from typing import TYPE_CHECKING

import pytest

from retention.errors import UnprintedError
from retention.process.streams import Stream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LINES = [f"line {number} {'x' * 900}\n" for number in range(400)]
"""More than a pipe, a socket or a terminal holds."""


def log_to(descriptor: int, *, limit: int = 10**6) -> Stream:
    """A stream as stderr is one, whose notices are plain."""
    stream = Stream(descriptor, "stderr", closed=False, limit=limit, by_line=True)
    stream.notice = lambda count: f"dropped {count}\n"
    return stream


def read_of(descriptor: int, end: str) -> str:
    """What comes, up to an end."""
    found = b""
    while not found.endswith(end.encode()):
        found += os.read(descriptor, 65536)
    return found.decode().replace("\r\n", "\n")


@pytest.fixture(params=["pipe", "socket", "terminal", "a pipe that cannot be opened again"])
def ends(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[int, int]]:
    """What is read and what is written to; nobody reads yet."""
    if request.param == "socket":
        pair = [one.detach() for one in socket.socketpair()]
        read, write = pair
    elif request.param == "terminal":
        read, write = os.openpty()
        termios.tcflow(write, termios.TCOOFF)
    else:
        read, write = os.pipe()
    if request.param.startswith("a pipe"):

        def refuse(*_: object) -> int:
            raise PermissionError

        monkeypatch.setattr(os, "open", refuse)
    yield read, write
    os.close(read)
    os.close(write)


def test_a_reader_that_does_not_read_stops_nobody(ends: tuple[int, int]) -> None:
    """What a pipe, a socket or a stopped terminal does not take waits, and comes in order; the descriptor, which others
    share, stays as it was.
    """
    read, write = ends
    stream = log_to(write)
    stream.writelines(LINES)  # would not come back
    assert os.get_blocking(write)
    if os.isatty(write):
        termios.tcflow(write, termios.TCOON)
    assert "".join(LINES) == read_of(read, LINES[-1].replace("\n", "\r\n" if os.isatty(write) else "\n"))
    stream.finish(10)
    assert 0 == stream.lost


def test_what_is_dropped_is_counted_in_its_place() -> None:
    """Beyond its limit a log drops lines, all until the reader has caught up; a line says how many, where they were."""
    read, write = os.pipe()
    stream = log_to(write, limit=20_000)
    stream.writelines(LINES)
    lost = stream.lost
    assert 0 < lost < len(LINES)
    stream.write("still dropped\n")
    found = read_of(read, f"dropped {lost + 1}\n")
    stream.finish(10)
    stream.write("goes on\n")
    assert "".join([*LINES[:-lost], f"dropped {lost + 1}\n", "goes on\n"]) == found + read_of(read, "goes on\n")
    os.close(read)
    os.close(write)


def test_a_disk_that_was_full_for_a_while(tmp_path: Path) -> None:
    """A log that could not be written goes on when there is room again, and says how many lines are missing."""
    number = os.open("/dev/full", os.O_WRONLY)
    stream = log_to(number)
    stream.writelines(LINES[:3])
    with (tmp_path / "log").open("wb") as file:
        os.dup2(file.fileno(), number)
    stream.writelines(LINES[3:5])
    assert "".join(["dropped 3\n", *LINES[3:5]]) == (tmp_path / "log").read_text()
    assert (0, "No space left on device") == (stream.lost, stream.problem and stream.problem.strerror)
    os.close(number)


def test_half_a_line_stays_one(tmp_path: Path) -> None:
    """Where a file may grow no more in the midst of a line, what comes later does not stand in the same line."""
    path = tmp_path / "log"
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with path.open("wb") as file:
        stream = log_to(file.fileno())
        stream.write("first\n")
        resource.setrlimit(resource.RLIMIT_FSIZE, (9, limits[1]))
        try:
            stream.write("second\n")
            stream.finish(10)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        stream.write("third\n")
    assert ["first", "sec", "dropped 1", "third"] == path.read_text().splitlines()


@pytest.mark.parametrize("gone", [True, False])
def test_a_reader_that_went_away(gone: bool) -> None:
    """Lines for nobody are counted and raise nothing; before there is any work, the first one that fails does."""
    read, write = os.pipe()
    os.close(read)
    stream = Stream(write, "stdout", closed=not gone, limit=None, by_line=False)
    stream.blocking = True
    stream.write("a\n")
    with pytest.raises(UnprintedError, match=r"stdout: (Broken pipe|not open for writing); print elsewhere"):
        stream.flush()
    stream.write("b\n")
    stream.finish(1)
    assert (2, True) == (stream.lost, stream.problem is not None)
    os.close(write)


def test_nobody_reads_until_the_end() -> None:
    """What was not read by the end is given up after a while, and is no more written."""
    read, write = os.pipe()
    stream = log_to(write)
    stream.writelines(LINES)
    stream.finish(0.01)
    assert 0 < stream.lost < len(LINES)
    stream.write("more\n")
    os.set_blocking(read, False)
    while b"more" not in (data := os.read(read, 65536)) and len(data) == 65536:
        pass
    assert b"more" not in data
    os.close(read)
    os.close(write)


def test_a_slow_reader_gets_all_of_it() -> None:
    """At the end a reader is waited for as long as it takes something, however slowly."""
    read, write = os.pipe()
    stream = log_to(write)
    stream.writelines(LINES)
    slow = threading.Thread(target=stream.finish, args=(0.5,))
    slow.start()
    found = b""
    while len(found) < len("".join(LINES)):
        found += os.read(read, 4096 if len(found) < 65536 else 65536)
    slow.join()
    assert ("".join(LINES), 0) == (found.decode(), stream.lost)
    os.close(read)
    os.close(write)


def test_what_is_no_text_is_shown() -> None:
    """Text is UTF-8, and a lone surrogate, as of an argument that is none, is an escape."""
    read, write = os.pipe()
    log_to(write).write("αβ \udce9\n")
    assert "αβ \\udce9\n" == read_of(read, "\n")
    os.close(read)
    os.close(write)
