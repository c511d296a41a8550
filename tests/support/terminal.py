"""A command on a terminal, with a person at its keys."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import re
import signal
import struct
import sys
import termios
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.world import World


class Terminal:
    """A command on a terminal of 80 columns; `screen` has all its output, without colours."""

    def __init__(self, process: asyncio.subprocess.Process, master: int) -> None:
        self.screen = ""
        self._process, self._master = process, master
        self._news = asyncio.Event()
        asyncio.get_running_loop().add_reader(master, self._read)
        self._out = asyncio.create_task(process.communicate())

    def _read(self) -> None:
        data = b""
        with contextlib.suppress(OSError):  # the other side is gone
            data = os.read(self._master, 65536)
        if not data:
            asyncio.get_running_loop().remove_reader(self._master)
        self.screen += re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", data.decode(errors="replace"))
        self._news.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for a text on the screen."""
        while not condition():
            assert not self._out.done(), self.screen
            self._news.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), 0.2)

    def hang_up(self) -> None:
        """Close the terminal."""
        asyncio.get_running_loop().remove_reader(self._master)
        os.close(self._master)
        self._master = -1

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self._master, keys.encode())

    async def ended(self) -> tuple[int, str]:
        """Wait for the end; return exit code and stdout."""
        out, _ = await self._out
        if self._master >= 0:
            self.hang_up()
        assert self._process.returncode is not None
        return self._process.returncode, out.decode()


async def on_terminal(world: World, *words: str) -> Terminal:
    """Start a command whose stdin and stderr are a terminal."""
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 80, 0, 0))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "retention", "--config", str(world.configure()), *words),
        cwd=world.folder,
        env={
            **{name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES"}},
            "TERM": "xterm",
        },
        stdin=slave,
        stdout=asyncio.subprocess.PIPE,
        stderr=slave,
        preexec_fn=_take_terminal,
    )
    os.close(slave)
    return Terminal(process, master)


def _take_terminal() -> None:
    """Make stdin the terminal that this process is on, so that its keys interrupt it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # tests in the background of a shell ignore it, and hand that on
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
