"""Standard output and standard error for text, on files, pipes, sockets and terminals alike.

A stream writes UTF-8. A reader that is gone, slow or out of space never stops the work of a command: no write blocks
while the command works. Other processes share the inherited descriptors, so they stay as they are. A pipe or terminal
is opened a second time through /proc: O_NONBLOCK belongs to the open file, so it would affect every process that shares
it. Sockets are written with MSG_DONTWAIT.

A thread holds the output that the reader does not take. Log lines beyond LOG_LIMIT_BYTES are dropped and counted
(`log.dropped`). Files are written as before: a log line costs as much as with Python's own stream (6.1 us).
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
    from typing import BinaryIO

    from typing_extensions import Buffer

RESULT_CHUNK_CHARS = 64 * 1024
"""Characters of a result that are collected before a write."""

LOG_LIMIT_BYTES = 1024 * 1024
"""Bytes of log that wait for a slow reader; further lines are dropped and counted."""

READER_TIMEOUT_S = 3.0
"""Time that a command waits at its end for a reader that takes nothing."""

READER_GONE = {errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN}
"""Errors of a stream whose reader is gone."""

_FOR_GOOD = READER_GONE | {errno.EBADF, errno.EIO, errno.ESHUTDOWN}
"""Errors after which a stream is given up."""

NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
"""Errors of a file system or quota without space."""


class Stream(io.TextIOBase):
    """A standard stream for text.

    `limit`: bytes that may wait for a slow reader (None: no limit). `by_line`: write at the end of each line.
    `blocking`: writes wait for the reader, and the first failed one raises UnprintedError. Otherwise no write raises.
    `notice` returns the line that reports so many dropped lines. `lost` counts the lines that were not written.
    """

    def __init__(self, descriptor: int, name: str, *, closed: bool, limit: int | None, by_line: bool) -> None:
        self.name = name
        self.problem: OSError | None = None
        self.lost = 0
        self.notice: Callable[[int], str] | None = None
        self.blocking = False
        self._descriptor = descriptor
        self._limit = limit
        self._by_line = by_line or os.isatty(descriptor)
        self._collected: list[str] = []
        self._collected_chars = 0
        self._queue: deque[bytes] = deque()
        self._queued_bytes = 0
        self._writer: threading.Thread | None = None
        self._lock = threading.Lock()
        self._mid_line = False
        self._given_up = False
        self._fast = False
        self._write_now, self._close_writer = (
            (writers.closed, writers.close_nothing) if closed else writers.open_writer(descriptor)
        )

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """Always UTF-8: the locale never changes names and reasons."""
        return "utf-8"

    @property
    def errors(self) -> str:  # type: ignore[override]
        """Lone surrogates and the like are written as escapes."""
        return "backslashreplace"

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._descriptor

    def isatty(self) -> bool:
        """Tell whether the stream is a terminal."""
        return os.isatty(self._descriptor)

    def writable(self) -> bool:
        """Tell that text can be written."""
        return True

    def write(self, text: str) -> int:
        """Write text, or collect it until a line or a chunk is complete."""
        line = text.endswith("\n")  # bytes raise TypeError here, as click expects
        if line and self._fast:  # nearly every line of the log: as cheap as possible
            data = text.encode("utf-8", "backslashreplace")
            try:
                written = self._write_now(data)
            except OSError as error:
                self._on_error(error, data, data)
            else:
                if written < len(data):
                    self._queue_rest(data, written)
        elif self._collected or not (line and self._by_line):
            self._fast = False
            self._collected.append(text)
            self._collected_chars += len(text)
            if self._collected_chars >= RESULT_CHUNK_CHARS or (self._by_line and "\n" in text):
                self.flush()
        else:
            self._send(text.encode("utf-8", "backslashreplace"))
        return len(text)

    def binary(self) -> BinaryIO:
        """Return a file for bytes: they go the same way, after the text that was written before."""
        return io.BufferedWriter(_Bytes(self), RESULT_CHUNK_CHARS)

    def write_bytes(self, data: bytes) -> None:
        """Write bytes after the collected text."""
        self.flush()
        self._send(data)

    def flush(self) -> None:
        """Write the collected text."""
        if self._collected:
            data = "".join(self._collected).encode("utf-8", "backslashreplace")
            self._collected, self._collected_chars = [], 0
            self._send(data)

    def finish(self, seconds: float) -> None:
        """Write the rest; give it up once the reader takes nothing for so many seconds."""
        self.flush()
        drain, size = self._writer, -1
        while drain is not None and drain.is_alive() and size != self._queued_bytes:
            size = self._queued_bytes
            drain.join(seconds)
        with self._lock:
            if self._queue:
                self._fail(TimeoutError(errno.ETIMEDOUT, "no reader takes it"), b"")
                self._given_up = True

    def close(self) -> None:
        """Write the rest. The inherited descriptor stays open."""
        if not self.closed:
            super().close()
            self._close_writer()

    def _send(self, data: bytes) -> None:
        if self._given_up or self._writer is not None:
            with self._lock:
                if self._given_up:
                    self.lost += _lines(data)
                    return
                if self._writer is not None:
                    self._enqueue(data)
                    return
        whole = self._dropped_notice() + data if self.lost or self._mid_line else data
        try:
            written = self._write_now(whole)
        except OSError as error:
            self._on_error(error, whole, data)
            return
        if written < len(whole):
            self._queue_rest(whole, written)
        else:
            self.lost, self._mid_line, self._fast = 0, False, self._by_line

    def _on_error(self, error: OSError, whole: bytes, data: bytes) -> None:
        if isinstance(error, BlockingIOError):
            self._queue_rest(whole, 0)
        else:
            self._fail(error, data)

    def _queue_rest(self, whole: bytes, written: int) -> None:
        self.lost, self._mid_line, self._fast = 0, written > 0, False
        self._wait(whole[written:])

    def _wait(self, data: bytes) -> None:
        """Write data as the reader takes it: at once where the stream is blocking, else in a thread."""
        with self._lock:
            self._enqueue(data)
            if self.blocking or self._writer is not None:
                drain = None
            else:
                drain = self._writer = threading.Thread(target=self._write_queued, daemon=True)
        try:
            if drain is not None:
                drain.start()
            elif self.blocking:
                self._write_queued()
        except RuntimeError:  # no thread can be started
            with self._lock:
                self._writer = None
                self._fail(BlockingIOError(errno.EAGAIN, "no reader takes it"), b"")

    def _enqueue(self, data: bytes) -> None:
        """Keep data for the reader. After one dropped line all are dropped, and one notice stands for them."""
        if self.lost or (self._queue and self._limit is not None and self._queued_bytes + len(data) > self._limit):
            self.lost += _lines(data)
        else:
            self._queue.append(data)
            self._queued_bytes += len(data)

    def _write_queued(self) -> None:
        """Write the queue until it is empty, in a thread that may block."""
        poll = select.poll()
        poll.register(self._descriptor, select.POLLOUT)
        while True:
            poll.poll()
            with self._lock:
                if not self._queue:  # all written, or given up
                    self._writer = None
                    return
                data = self._queue[0]
            try:
                written = self._write_now(data)
            except BlockingIOError:  # another process took the room
                time.sleep(0.02)
                continue
            except OSError as error:
                with self._lock:
                    self._writer = None
                    self._fail(error, b"")
                return
            with self._lock:
                self._on_written(data, written)

    def _on_written(self, data: bytes, written: int) -> None:
        if not self._queue:
            return
        self._queued_bytes -= written
        self._mid_line = written < len(data)
        if self._mid_line:
            self._queue[0] = data[written:]
            return
        self._queue.popleft()
        if not self._queue and self.lost and (notice := self._dropped_notice()):
            self._queue.append(notice)
            self._queued_bytes, self.lost = len(notice), 0

    def _dropped_notice(self) -> bytes:
        """Return the notice of dropped lines, on a line of its own; it stands before the next line."""
        text = self.notice(self.lost) if self.notice and self.lost else ""
        return (f"\n{text}" if self._mid_line else text).encode()

    def _fail(self, error: OSError, data: bytes) -> None:
        self.lost += _lines(data) + sum(map(_lines, self._queue))
        self._queue.clear()
        self._queued_bytes = 0
        self._fast = False
        first, self.problem = self.problem is None, self.problem or error
        # A result with a gap is useless. A log continues when there is space again.
        self._given_up = self._limit is None or error.errno in _FOR_GOOD
        if self.blocking and first:
            raise UnprintedError(f"{self.name}: {problem_and_mend(error)}")


class _Bytes(io.RawIOBase):
    """The bytes of a stream."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def writable(self) -> bool:
        return True

    def write(self, data: Buffer) -> int:
        whole = bytes(data)
        self._stream.write_bytes(whole)
        return len(whole)


def problem_text(error: OSError) -> str:
    """Return the problem of a stream."""
    return "not open for writing" if error.errno == errno.EBADF else error.strerror or type(error).__name__


def problem_and_mend(error: OSError) -> str:
    """Return the problem of a stream, and how to mend it."""
    mend = "free some space there, or print elsewhere" if error.errno in NO_SPACE else "print elsewhere"
    return f"{problem_text(error)}; {mend}"


def _lines(data: bytes) -> int:
    return data.count(b"\n") or (1 if data else 0)
