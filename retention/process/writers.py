"""Writes to descriptors that others have opened and share, without ever waiting."""

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


def writer(descriptor: int) -> tuple[Callable[[bytes], int], Callable[[], None]]:
    """Return what writes to a descriptor, as much as there is room for, and raises BlockingIOError where there is none.

    The second function closes what was opened for that. Files, and devices other than terminals, have no reader.
    """
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISSOCK(mode):
        connection = socket.socket(fileno=os.dup(descriptor))
        return lambda data: connection.send(data, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL), connection.close
    if not stat.S_ISFIFO(mode) and not os.isatty(descriptor):
        return partial(os.write, descriptor), nothing
    try:
        # O_NONBLOCK belongs to what was opened, not to the descriptor: setting it would set it for all who share it.
        again = os.open(f"/proc/self/fd/{descriptor}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:  # no /proc, another user's pipe or terminal, or nobody reads it
        return partial(_write_if_ready, descriptor), nothing
    return partial(os.write, again), partial(os.close, again)


def _write_if_ready(descriptor: int, data: bytes) -> int:
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    if not poll.poll(0):
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
    return os.write(descriptor, data[: select.PIPE_BUF])


def nothing() -> None:
    """Close nothing."""


def closed(_data: bytes) -> int:
    """Refuse as a descriptor does that is not open."""
    raise OSError(errno.EBADF, os.strerror(errno.EBADF))
