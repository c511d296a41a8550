"""SIGINT and SIGTERM: the first drains the current worker, the second aborts it."""

from __future__ import annotations

import asyncio
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from retention.exit_codes import ExitCode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from typing import Self

_CODES = {signal.SIGINT: ExitCode.SIGINT, signal.SIGTERM: ExitCode.SIGTERM}


class Drainable(Protocol):
    """A worker that can be asked to end."""

    def stop(self) -> None:
        """Finish the requests in flight, and begin no new ones."""

    def abort(self) -> None:
        """End without waiting for them."""


class DrainScope(Protocol):
    """The scope in which workers are drained when the process is asked to end."""

    @property
    def code(self) -> ExitCode | None:
        """The exit code of the signal that came; None before."""

    def drain_on_signal(self, worker: Drainable) -> AbstractContextManager[None]:
        """Drain the worker on a signal, until the context ends."""


class ShutdownSignals:
    """Drains the current worker on a signal, or cancels the command where no worker runs yet."""

    def __init__(self) -> None:
        self.code: ExitCode | None = None
        self.current: Drainable | None = None
        self._task: asyncio.Task[object] | None = None

    def __enter__(self) -> Self:
        self._task = asyncio.current_task()
        for number in _CODES:
            asyncio.get_running_loop().add_signal_handler(number, self._on, number)
        return self

    def __exit__(self, *_: object) -> None:
        for number in (*_CODES, signal.SIGHUP):
            asyncio.get_running_loop().remove_signal_handler(number)

    @contextmanager
    def drain_on_signal(self, worker: Drainable) -> Iterator[None]:
        """Let signals drain this worker until the context ends."""
        self.current = worker
        try:
            yield
        finally:
            self.current = None

    def on_hangup(self, act: Callable[[], None]) -> None:
        """Call `act` on SIGHUP, which otherwise ends the process."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, act)

    def _on(self, number: signal.Signals) -> None:
        first = self.code is None
        self.code = _CODES[number]
        if self.current is not None:
            self.current.stop() if first else self.current.abort()
        if self._task is not None and (self.current is None or not first):
            self._task.cancel()
