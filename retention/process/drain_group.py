"""Workers of one process that are drained together: the engines of a daemon or of a helper process."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from retention.exit_codes import ExitCode
    from retention.process.shutdown import Drainable


class DrainGroup:
    """Drains all its workers at once; a worker that joins a stopped group is stopped immediately.

    `signalled` gives the exit code of the signal that stopped the process, None before one came.
    """

    def __init__(self, signalled: Callable[[], ExitCode | None]) -> None:
        self._signalled = signalled
        self._workers: set[Drainable] = set()
        self._stopped = False

    @property
    def code(self) -> ExitCode | None:
        """The exit code of the signal that stopped the process, None before one came."""
        return self._signalled()

    @contextmanager
    def drain_on_signal(self, worker: Drainable) -> Iterator[None]:
        """Drain the worker with the others while the context lasts."""
        self._workers.add(worker)
        if self._stopped:
            worker.stop()
        try:
            yield
        finally:
            self._workers.discard(worker)

    def stop(self) -> None:
        """Let each worker settle its requests in flight and send no further ones."""
        self._stopped = True
        for worker in self._workers:
            worker.stop()

    def abort(self) -> None:
        """Let no worker wait for its requests in flight."""
        for worker in self._workers:
            worker.abort()
