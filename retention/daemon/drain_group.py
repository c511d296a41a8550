"""The engines that are at work in a daemon, to be drained together."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from retention.exit_codes import ExitCode
    from retention.process.shutdown import Drainable


class DrainGroup:
    """Whoever joins it after it was stopped is stopped at once. `signalled` tells the exit code of a signal."""

    def __init__(self, signalled: Callable[[], ExitCode | None]) -> None:
        self._signalled = signalled
        self._workers: set[Drainable] = set()
        self._stopped = False

    @property
    def code(self) -> ExitCode | None:
        """The exit code of the signal that stopped it, if one did."""
        return self._signalled()

    @contextmanager
    def drain_on_signal(self, worker: Drainable) -> Iterator[None]:
        """Have the worker drained with the others, until the context ends."""
        self._workers.add(worker)
        if self._stopped:
            worker.stop()
        try:
            yield
        finally:
            self._workers.discard(worker)

    def stop(self) -> None:
        """Let each finish what it has in flight, and begin nothing."""
        self._stopped = True
        for worker in self._workers:
            worker.stop()

    def abort(self) -> None:
        """Let none wait even for that."""
        for worker in self._workers:
            worker.abort()
