"""Asks at a terminal whether a plan is to be carried out."""

from __future__ import annotations

import asyncio
import signal
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from retention.run_values import Planned


def at_a_terminal() -> bool:
    """Whether there is somebody to ask."""
    return sys.stdin.isatty() and sys.stderr.isatty()


async def ask(planned: Planned, doubts: int) -> bool:
    """Show a plan, and ask. No answer, or no terminal any more, is a no."""
    from retention.report.question import question

    _show(f"{question(planned, doubts)}\nCancel them? [y/N]: ")
    answer = ""
    try:
        answer = await _typed()
    finally:
        if not answer.endswith("\n"):
            _show("\n")  # what comes next begins a line
    return answer.strip().lower() in {"y", "yes"}


def _show(text: str) -> None:
    with suppress(OSError):  # the terminal is gone
        print(text, end="", file=sys.stderr, flush=True)


async def _typed() -> str:
    """A line from the terminal; waiting for it can be cut short, which a thread that reads could not be."""
    loop = asyncio.get_running_loop()
    readable, gone = asyncio.Event(), asyncio.Event()

    def hung_up() -> None:
        gone.set()
        readable.set()

    with _on_hangup(hung_up):
        loop.add_reader(sys.stdin, readable.set)
        try:
            await readable.wait()
        finally:
            loop.remove_reader(sys.stdin)
        try:
            return "" if gone.is_set() else sys.stdin.readline()
        except (OSError, ValueError):  # the terminal is gone, or what was typed is no text
            return ""


@contextmanager
def _on_hangup(act: Callable[[], None]) -> Iterator[None]:
    """Do this where the terminal hangs up, instead of dying with the plan still standing."""
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_DFL:  # as under nohup
        yield
        return
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGHUP, act)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGHUP)
