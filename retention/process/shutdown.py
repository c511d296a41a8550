"""SIGINT and SIGTERM: the first drains, the second leaves at once."""

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
    """Something that can be asked to come to an end."""

    def stop(self) -> None:
        """Finish what is in flight, begin nothing."""

    def abort(self) -> None:
        """Do not even wait for that."""


class DrainScope(Protocol):
    """Where an engine is put to work, so that it can be drained."""

    @property
    def code(self) -> ExitCode | None:
        """The exit code of the signal that came, if one did."""

    def drain_on_signal(self, worker: Drainable) -> AbstractContextManager[None]:
        """Have the worker drained, from now until the context ends, when it is asked for."""


class ShutdownSignals:
    """Turns signals into a drain of whatever is at work, or into a cancellation where nothing has begun yet."""

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
        """Let signals drain this worker while it is at work."""
        self.current = worker
        try:
            yield
        finally:
            self.current = None

    def listen_for_hangup(self, act: Callable[[], None]) -> None:
        """Do this on SIGHUP, which otherwise ends the process."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, act)

    def _on(self, number: signal.Signals) -> None:
        first = self.code is None
        self.code = _CODES[number]
        if self.current is not None:
            self.current.stop() if first else self.current.abort()
        if self._task is not None and (self.current is None or not first):
            self._task.cancel()
