"""One timer for the timeouts of all requests: a timer of its own would cost each request 10 us."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asyncio import Task, TimerHandle


class Deadlines:
    """Cancels each task that takes longer than `seconds`, the same for all: the first to begin ends first."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._loop = asyncio.get_running_loop()
        self._ends: dict[Task[Any], float] = {}
        self._over: set[Task[Any]] = set()
        self._timer: TimerHandle | None = None

    def running(self) -> _Running:
        """A context in which its task has `seconds`; raises TimeoutError when they are over."""
        return _Running(self)

    def close(self) -> None:
        """Stop the timer; nothing begins any more."""
        if self._timer is not None:
            self._timer.cancel()

    def begin(self) -> Task[Any]:
        """Give the calling task `seconds` from now on; a task has one deadline at a time."""
        task = asyncio.current_task(self._loop)
        assert task is not None
        self._ends[task] = end = self._loop.time() + self._seconds
        if self._timer is None:
            self._timer = self._loop.call_at(end, self._look)
        return task

    def end(self, task: Task[Any]) -> bool:
        """End a deadline, once for each begin; whether its time was over and nothing else cancelled the task."""
        self._ends.pop(task, None)
        if task not in self._over:
            return False
        self._over.discard(task)
        return task.uncancel() == 0

    def _look(self) -> None:
        now, self._timer = self._loop.time(), None
        while self._ends:
            task, end = next(iter(self._ends.items()))
            if end > now:
                self._timer = self._loop.call_at(end, self._look)
                return
            del self._ends[task]
            self._over.add(task)
            task.cancel()


class _Running:
    """The deadline of one task, used as asyncio.timeout is."""

    __slots__ = ("_deadlines", "_task")

    def __init__(self, deadlines: Deadlines) -> None:
        self._deadlines = deadlines

    def __enter__(self) -> None:
        self._task = self._deadlines.begin()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._deadlines.end(self._task) and kind is asyncio.CancelledError:
            raise TimeoutError from None
