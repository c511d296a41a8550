"""Writes that never block, to descriptors that other processes opened and share."""

from __future__ import annotations

import errno
import os
import select
import socket
import stat
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def open_writer(descriptor: int) -> tuple[Callable[[bytes], int], Callable[[], None]]:
    """Return a function that writes to a descriptor, and one that closes the writer.

    The first writes as many bytes as there is room for, and raises BlockingIOError where there is no room. Files, and
    devices other than terminals, have no reader that could block a write.
    """
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISSOCK(mode):
        connection = socket.socket(fileno=os.dup(descriptor))
        return lambda data: connection.send(data, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL), connection.close
    if not stat.S_ISFIFO(mode) and not os.isatty(descriptor):
        return partial(os.write, descriptor), close_nothing
    try:
        # O_NONBLOCK belongs to the open file, not to the descriptor: all processes that share it would get it.
        reopened = os.open(f"/proc/self/fd/{descriptor}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:  # no /proc, the pipe of another user, or no reader
        return partial(_write_if_ready, descriptor), close_nothing
    return partial(os.write, reopened), partial(os.close, reopened)


def _write_if_ready(descriptor: int, data: bytes) -> int:
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    if not poll.poll(0):
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
    return os.write(descriptor, data[: select.PIPE_BUF])


def close_nothing() -> None:
    """Close nothing."""


def closed(_data: bytes) -> int:
    """Refuse, as a closed descriptor does."""
    raise OSError(errno.EBADF, os.strerror(errno.EBADF))
