"""Standard output and standard error, whatever they are connected to.

A stream writes UTF-8 and never lets its reader decide what becomes of the work: nobody there, no space left, or a
reader that does not read. While a command works, no write waits. Descriptors stay as they were inherited, since other
processes share them: a pipe or a terminal is opened once more for writes that do not wait.
"""

from __future__ import annotations

import errno
import io
import os
import select
import threading
import time
from collections import deque
from typing import TYPE_CHECKING

from retention.errors import UnprintedError
from retention.process import writers

if TYPE_CHECKING:
    from collections.abc import Callable

CHUNK = 64 * 1024
"""Characters of a result that are collected before they are written."""

LIMIT = 1024 * 1024
"""Bytes of log that wait for a reader; what comes while they wait is dropped and counted."""

PATIENCE = 3.0
"""Seconds that a command waits at its end for a reader of its log or of its result that takes nothing of it."""

GONE = {errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN}
"""Errors of a stream whose reader went away."""

_FOR_GOOD = GONE | {errno.EBADF, errno.EIO, errno.ESHUTDOWN}
"""Errors after which a stream is not tried again."""

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
"""Errors of a place that has no room for what is written."""


class Stream(io.TextIOBase):
    """A standard stream for text. Never raises while a command works; before that, UnprintedError, once.

    `limit`: bytes that may wait for a reader; None: all of them. `by_line`: written at each end of a line.
    `notice` words a line that tells how many lines were dropped.
    """

    def __init__(self, descriptor: int, name: str, *, closed: bool, limit: int | None, by_line: bool) -> None:
        self.name = name
        self.problem: OSError | None = None
        self.lost = 0
        self.notice: Callable[[int], str] | None = None
        self.waits = False
        self._descriptor = descriptor
        self._limit = limit
        self._by_line = by_line or os.isatty(descriptor)
        self._texts: list[str] = []
        self._length = 0
        self._held: deque[bytes] = deque()
        self._size = 0
        self._drain: threading.Thread | None = None
        self._lock = threading.Lock()
        self._torn = False
        self._dead = False
        self._smooth = False
        self._put, self._release = (writers.closed, writers.nothing) if closed else writers.writer(descriptor)

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """Always UTF-8: what is on record is not changed by where it is shown."""
        return "utf-8"

    @property
    def errors(self) -> str:  # type: ignore[override]
        """What is no text, such as a lone surrogate, is shown as an escape."""
        return "backslashreplace"

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._descriptor

    def isatty(self) -> bool:
        """Tell whether a person looks."""
        return os.isatty(self._descriptor)

    def writable(self) -> bool:
        """Text can be written."""
        return True

    def write(self, text: str) -> int:
        """Write text, or keep it until a line or enough of it is there."""
        line = text.endswith("\n")  # refuses bytes with TypeError, as click expects it
        if line and self._smooth:  # as nearly every line of a log: this costs as little as it can
            data = text.encode("utf-8", "backslashreplace")
            try:
                written = self._put(data)
            except OSError as error:
                self._refused(error, data, data)
            else:
                if written < len(data):
                    self._short(data, written)
        elif self._texts or not (line and self._by_line):
            self._smooth = False
            self._texts.append(text)
            self._length += len(text)
            if self._length >= CHUNK or (self._by_line and "\n" in text):
                self.flush()
        else:
            self._send(text.encode("utf-8", "backslashreplace"))
        return len(text)

    def flush(self) -> None:
        """Write what was kept."""
        if self._texts:
            data = "".join(self._texts).encode("utf-8", "backslashreplace")
            self._texts, self._length = [], 0
            self._send(data)

    def finish(self, seconds: float) -> None:
        """Write what is left. Once the reader takes nothing for so long, the rest is lost."""
        self.flush()
        drain, size = self._drain, -1
        while drain is not None and drain.is_alive() and size != self._size:
            size = self._size
            drain.join(seconds)
        with self._lock:
            if self._held:
                self._fail(TimeoutError(errno.ETIMEDOUT, "nobody reads it"), b"")
                self._dead = True

    def close(self) -> None:
        """Write what is left, and let go of what was opened besides the descriptor, which stays open."""
        if not self.closed:
            super().close()
            self._release()

    def _send(self, data: bytes) -> None:
        if self._dead or self._drain is not None:
            with self._lock:
                if self._dead:
                    self.lost += _lines(data)
                    return
                if self._drain is not None:
                    self._hold(data)
                    return
        whole = self._told() + data if self.lost or self._torn else data
        try:
            written = self._put(whole)
        except OSError as error:
            self._refused(error, whole, data)
            return
        if written < len(whole):
            self._short(whole, written)
        else:
            self.lost, self._torn, self._smooth = 0, False, self._by_line

    def _refused(self, error: OSError, whole: bytes, data: bytes) -> None:
        if isinstance(error, BlockingIOError):
            self._short(whole, 0)
        else:
            self._fail(error, data)

    def _short(self, whole: bytes, written: int) -> None:
        self.lost, self._torn, self._smooth = 0, written > 0, False
        self._wait(whole[written:])

    def _wait(self, data: bytes) -> None:
        """Have data written as its reader takes it: here and now where that is the work, else by a thread."""
        with self._lock:
            self._hold(data)
            if self.waits or self._drain is not None:
                drain = None
            else:
                drain = self._drain = threading.Thread(target=self._write_held, daemon=True)
        try:
            if drain is not None:
                drain.start()
            elif self.waits:
                self._write_held()
        except RuntimeError:  # no thread can be had
            with self._lock:
                self._drain = None
                self._fail(BlockingIOError(errno.EAGAIN, "nobody reads it"), b"")

    def _hold(self, data: bytes) -> None:
        """Keep data for the reader. Once some was dropped, all is: the line that says so stands in its place."""
        if self.lost or (self._held and self._limit is not None and self._size + len(data) > self._limit):
            self.lost += _lines(data)
        else:
            self._held.append(data)
            self._size += len(data)

    def _write_held(self) -> None:
        """Write what waits, however long that takes."""
        poll = select.poll()
        poll.register(self._descriptor, select.POLLOUT)
        while True:
            poll.poll()
            with self._lock:
                if not self._held:  # all is written, or was given up
                    self._drain = None
                    return
                data = self._held[0]
            try:
                written = self._put(data)
            except BlockingIOError:  # where others write as well, there may be no room after all
                time.sleep(0.02)
                continue
            except OSError as error:
                with self._lock:
                    self._drain = None
                    self._fail(error, b"")
                return
            with self._lock:
                self._taken(data, written)

    def _taken(self, data: bytes, written: int) -> None:
        if not self._held:
            return
        self._size -= written
        self._torn = written < len(data)
        if self._torn:
            self._held[0] = data[written:]
            return
        self._held.popleft()
        if not self._held and self.lost and (notice := self._told()):
            self._held.append(notice)
            self._size, self.lost = len(notice), 0

    def _told(self) -> bytes:
        """Return what comes before the next line: how many are missing, on a line of its own."""
        text = self.notice(self.lost) if self.notice and self.lost else ""
        return (f"\n{text}" if self._torn else text).encode()

    def _fail(self, error: OSError, data: bytes) -> None:
        self.lost += _lines(data) + sum(map(_lines, self._held))
        self._held.clear()
        self._size = 0
        self._smooth = False
        first, self.problem = self.problem is None, self.problem or error
        # A result with a hole in it is none. A log may go on when there is space again.
        self._dead = self._limit is None or error.errno in _FOR_GOOD
        if self.waits and first:
            raise UnprintedError(f"{self.name}: {told(error)}")


def problem_text(error: OSError) -> str:
    """Say what is wrong with a stream."""
    return "not open for writing" if error.errno == errno.EBADF else error.strerror or type(error).__name__


def told(error: OSError) -> str:
    """Say what is wrong with a stream, and how to mend it."""
    mend = "free some space there, or print elsewhere" if error.errno in FULL else "print elsewhere"
    return f"{problem_text(error)}; {mend}"


def _lines(data: bytes) -> int:
    return data.count(b"\n") or (1 if data else 0)
