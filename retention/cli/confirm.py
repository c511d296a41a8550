"""Asks at a terminal whether to do what a command is about to do."""

from __future__ import annotations

import asyncio
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from retention.runs.model import Planned


def at_a_terminal() -> bool:
    """Tell whether a person can be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()


async def ask(planned: Planned, doubts: int) -> bool:
    """Show a plan and ask. No answer means no, also where the terminal is gone."""
    from retention.render.confirmation import question

    return await confirm(question(planned, doubts), "Cancel them?")


async def confirm(text: str, question: str) -> bool:
    """Show a text and ask. No answer means no, also where the terminal is gone."""
    answer, line = "", _Line()
    with line:
        _show(f"{text}\n{question} [y/N]: ")
        try:
            answer = await line.typed()
        finally:
            if not answer.endswith("\n"):
                _show("\n")  # further output begins a line
    return answer.strip().lower() in {"y", "yes"}


def _show(text: str) -> None:
    with suppress(OSError):  # the terminal is gone
        print(text, end="", file=sys.stderr, flush=True)


class _Line:
    """A line from the terminal. Waiting for it can be cancelled, unlike a thread that reads.

    A hangup of the terminal counts as no answer; it does not end the process while the plan waits.
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
        # After one hangup the handler stays: both kernel and shell send SIGHUP.
        if self._listens and not self._hung_up:
            self._loop.remove_signal_handler(signal.SIGHUP)

    async def typed(self) -> str:
        """Wait for the line; empty where the terminal is gone."""
        self._loop.add_reader(sys.stdin, self._readable.set)
        try:
            await self._readable.wait()
        finally:
            self._loop.remove_reader(sys.stdin)
        try:
            return "" if self._hung_up else sys.stdin.readline()
        except (OSError, ValueError):  # the terminal is gone, or the line is not UTF-8
            return ""

    def _hang_up(self) -> None:
        self._hung_up = True
        self._readable.set()
