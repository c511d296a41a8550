"""A standard stream takes every line at once from the command, and counts each line that its reader loses."""

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
"""More bytes than a pipe, a socket or a terminal holds."""


def log_to(descriptor: int, *, limit: int = 10**6) -> Stream:
    """Return a stream like stderr, with a plain notice of dropped lines."""
    stream = Stream(descriptor, "stderr", closed=False, limit=limit, by_line=True)
    stream.notice = lambda count: f"dropped {count}\n"
    return stream


def read_of(descriptor: int, end: str) -> str:
    """Read up to an end."""
    found = b""
    while not found.endswith(end.encode()):
        found += os.read(descriptor, 65536)
    return found.decode().replace("\r\n", "\n")


@pytest.fixture(params=["pipe", "socket", "terminal", "a pipe that cannot be opened again"])
def ends(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[int, int]]:
    """Return the reading and the writing end of a pipe, a socket or a terminal."""
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


def test_a_reader_that_does_not_read_blocks_no_write(ends: tuple[int, int]) -> None:
    """Lines beyond the room of a pipe, socket or terminal wait and arrive in order; the shared descriptor stays
    blocking.
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


def test_dropped_lines_are_counted_in_their_place() -> None:
    """Beyond its limit a log drops lines until the reader has caught up; a notice in their place has their number."""
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


def test_a_log_continues_when_a_full_disk_has_room_again(tmp_path: Path) -> None:
    """A log that could not be written continues when there is room again, after a notice of the missing lines."""
    number = os.open("/dev/full", os.O_WRONLY)
    stream = log_to(number)
    stream.writelines(LINES[:3])
    with (tmp_path / "log").open("wb") as file:
        os.dup2(file.fileno(), number)
    stream.writelines(LINES[3:5])
    assert "".join(["dropped 3\n", *LINES[3:5]]) == (tmp_path / "log").read_text()
    assert (0, "No space left on device") == (stream.lost, stream.problem and stream.problem.strerror)
    os.close(number)


def test_a_notice_does_not_join_a_half_written_line(tmp_path: Path) -> None:
    """After a file reached its size limit within a line, the notice begins a new line."""
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
def test_a_gone_reader_raises_only_on_a_blocking_stream(gone: bool) -> None:
    """Lines for a gone reader are counted and raise nothing; on a blocking stream the first one raises
    UnprintedError.
    """
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


def test_unread_lines_are_given_up_at_the_end() -> None:
    """Lines that no reader took by the end are given up after the timeout, and never written."""
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


def test_a_slow_reader_gets_every_line() -> None:
    """The end of a command waits for a slow reader as long as it takes any bytes."""
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


def test_a_lone_surrogate_is_written_as_an_escape() -> None:
    """Text is UTF-8, and a lone surrogate, as of an undecodable argument, becomes an escape."""
    read, write = os.pipe()
    log_to(write).write("αβ \udce9\n")
    assert "αβ \\udce9\n" == read_of(read, "\n")
    os.close(read)
    os.close(write)


def test_bytes_and_text_arrive_in_their_order() -> None:
    """Bytes follow the text that was written before, and all of them reach a slow reader."""
    read, write = os.pipe()
    stream = Stream(write, "stdout", closed=False, limit=None, by_line=False)
    stream.blocking = True
    data = bytes(range(256)) * 2000
    found = bytearray()

    def take() -> None:
        while not found.endswith(b"end"):
            found.extend(os.read(read, 4096))

    reading = threading.Thread(target=take)
    reading.start()
    stream.write("text\n")
    with stream.binary() as binary:
        assert (True, False) == (binary.writable(), binary.seekable())
        binary.write(data[:1000])
        binary.write(memoryview(data)[1000:])
    stream.write("end")
    stream.flush()
    reading.join(10)
    assert b"text\n" + data + b"end" == bytes(found)
    stream.close()
    os.close(read)
    os.close(write)


def test_bytes_without_a_reader_are_an_error() -> None:
    """Where the reader is gone or the disk is full, a printing command gets one error for its bytes."""
    read, gone = os.pipe()
    os.close(read)
    full = os.open("/dev/full", os.O_WRONLY)
    for descriptor, problem in ((gone, "Broken pipe"), (full, "No space left on device")):
        stream = Stream(descriptor, "stdout", closed=False, limit=None, by_line=False)
        stream.blocking = True
        binary = stream.binary()
        with pytest.raises(UnprintedError, match=problem):
            binary.write(b"x" * 10**6)
        os.close(descriptor)
