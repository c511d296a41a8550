"""A child process that runs a module of ours: a channel is its stdin, and its whole output is passed on in whole lines.

The child is started anew, not forked: a fork would copy threads' locks and the event loop's sockets. Nothing about it
stands in its arguments. It begins with its signals blocked, so that no key on the terminal ends it half started.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from retention.process.channel import Channel
from retention.process.streams import Stream

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

SIGNALS = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
"""The signals that are blocked while a child starts."""

PIPE_BYTES = 1024 * 1024
"""Output that waits in the pipe for a busy parent; beyond it the child holds its lines back by itself."""

LONGEST_LINE_BYTES = 1024 * 1024
"""Bytes of a line without an end that are kept; a longer one is passed on in parts."""

EXIT_TIMEOUT_S = 5.0
"""Seconds that a child gets to end after it has closed its channel."""


class Child:
    """A started child. `receive` on its channel returns None once it has ended."""

    def __init__(self, process: subprocess.Popen[bytes], channel: Channel, output: WholeLines) -> None:
        self.channel = channel
        self._process = process
        self._output = output

    @classmethod
    async def start(cls, module: str, write: Callable[[bytes], None]) -> Self:
        """Start the module. `write` gets its output in whole lines. Raises OSError where no process can be started."""
        ours, theirs = socket.socketpair()
        read, written = os.pipe()
        if hasattr(fcntl, "F_SETPIPE_SZ"):  # on Linux
            with suppress(OSError):  # a user's pipes may have used up their room
                fcntl.fcntl(read, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        try:
            process = await asyncio.to_thread(_spawn, module, theirs.fileno(), written)
        except BaseException:
            ours.close()
            os.close(read)
            raise
        finally:
            theirs.close()
            os.close(written)
        output = WholeLines(write)
        await asyncio.get_running_loop().connect_read_pipe(lambda: output, os.fdopen(read, "rb", buffering=0))
        return cls(process, await Channel.over(ours), output)

    @property
    def pid(self) -> int:
        """The number of its process."""
        return self._process.pid

    def kill(self) -> None:
        """Kill it."""
        self._process.kill()

    async def ended(self) -> int:
        """Wait for its end, and pass the last of its output on; returns its exit code, or minus the signal's number."""
        try:
            code = await asyncio.to_thread(self._process.wait, EXIT_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.kill()
            code = await asyncio.to_thread(self._process.wait)
        await self._output.ended.wait()
        return code

    async def end(self) -> None:
        """Kill it where it still runs, and wait until nothing of it is left."""
        self.kill()
        self._process.wait()
        self.channel.close()
        await self._output.ended.wait()


class WholeLines(asyncio.Protocol):
    """Passes the lines of a pipe on once they are whole, as many as there are at once."""

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self.ended = asyncio.Event()
        self._write = write
        self._rest = b""

    def data_received(self, data: bytes) -> None:
        """Pass the whole lines on, and keep the rest."""
        whole, end, rest = data.rpartition(b"\n")
        if end:
            self._write(b"%b%b\n" % (self._rest, whole))
            self._rest = rest
        else:
            self._rest += data
        if len(self._rest) > LONGEST_LINE_BYTES:
            self._finish_line()

    def connection_lost(self, error: Exception | None) -> None:
        """Pass on a last line without an end."""
        del error
        self._finish_line()
        self.ended.set()

    def _finish_line(self) -> None:
        if self._rest:
            self._write(self._rest + b"\n")
            self._rest = b""


def write_log(lines: bytes) -> None:
    """Write whole lines to the log, in one piece with no other line within."""
    if isinstance(sys.stderr, Stream):
        sys.stderr.write_bytes(lines)
    else:  # a progress display, which keeps lines above it
        sys.stderr.write(lines.decode("utf-8", "backslashreplace"))


def _spawn(module: str, channel: int, output: int) -> subprocess.Popen[bytes]:
    # -P: nothing is imported from the working directory.
    options = ["-P", *(("-X", "utf8") if sys.flags.utf8_mode else ())]
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        return subprocess.Popen(  # noqa: S603 - this very program
            [sys.executable, *options, "-m", module], stdin=channel, stdout=output, stderr=output
        )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
