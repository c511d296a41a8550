"""Asks at a terminal whether a plan is to be carried out."""

from __future__ import annotations

import asyncio
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from retention.runs.model import Planned


def at_a_terminal() -> bool:
    """Whether there is somebody to ask."""
    return sys.stdin.isatty() and sys.stderr.isatty()


async def ask(planned: Planned, doubts: int) -> bool:
    """Show a plan, and ask. No answer, or no terminal any more, is a no."""
    from retention.render.confirmation import question

    answer, line = "", _Line()
    with line:
        _show(f"{question(planned, doubts)}\nCancel them? [y/N]: ")
        try:
            answer = await line.typed()
        finally:
            if not answer.endswith("\n"):
                _show("\n")  # what comes next begins a line
    return answer.strip().lower() in {"y", "yes"}


def _show(text: str) -> None:
    with suppress(OSError):  # the terminal is gone
        print(text, end="", file=sys.stderr, flush=True)


class _Line:
    """A line from the terminal; waiting for it can be cut short, which a thread that reads could not be.

    A terminal that hangs up does not end the process, from then on, with the plan still standing.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._readable = asyncio.Event()
        self._hung_up = False
        self._listens = signal.getsignal(signal.SIGHUP) is signal.SIG_DFL  # not so under nohup

    def __enter__(self) -> None:
        if self._listens:
            self._loop.add_signal_handler(signal.SIGHUP, self._hang_up)

    def __exit__(self, *_: object) -> None:
        # Both kernel and shell say that a terminal is gone.
        if self._listens and not self._hung_up:
            self._loop.remove_signal_handler(signal.SIGHUP)

    async def typed(self) -> str:
        """Wait for the line; empty where there is no terminal any more."""
        self._loop.add_reader(sys.stdin, self._readable.set)
        try:
            await self._readable.wait()
        finally:
            self._loop.remove_reader(sys.stdin)
        try:
            return "" if self._hung_up else sys.stdin.readline()
        except (OSError, ValueError):  # the terminal is gone, or what was typed is no text
            return ""

    def _hang_up(self) -> None:
        self._hung_up = True
        self._readable.set()
