"""The tasks of a daemon: the runs that it works on, and the plans that it makes; how each ends, and how all drain.

A daemon works on scheduled runs, and on runs that a person has approved; any other run that a person started or stopped
stays that person's. The first process that inserts a run's row plans it. That process, and every other one that sees
the run, then works on it as `run --resume` would.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from retention.errors import RetentionError
from retention.ledger.database_errors import UNAVAILABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from uuid import UUID

    from structlog.typing import FilteringBoundLogger

    from retention.process.drain_group import DrainGroup
    from retention.runs.model import RunResult

RESTART_PAUSE_S = 1.0
"""Seconds before this process returns to a run that it left, or lost together with the database."""

SKIP_PAUSE_S = 30.0
"""Seconds before this process returns to a run that it could not work on."""

ABORT_TIMEOUT_S = 2.0
"""Seconds that aborted tasks get to end."""


class RunSupervisor:
    """Works on each run at most once at a time. `on_result` receives how a run ended in this process."""

    def __init__(
        self, drain_group: DrainGroup, on_result: Callable[[RunResult], None], log: FilteringBoundLogger
    ) -> None:
        self.drain_group = drain_group
        self._on_result = on_result
        self._log = log
        self._tasks: set[asyncio.Task[None]] = set()
        self._runs: set[UUID] = set()
        self._resting_until_s: dict[UUID, float] = {}

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Do the work in a task that a drain waits for."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def can_start(self, run_id: UUID) -> bool:
        """Whether this process may start work on a run: it does not work on it, and has not just left it."""
        now_s = time.monotonic()
        self._resting_until_s = {other: until_s for other, until_s in self._resting_until_s.items() if until_s > now_s}
        return run_id not in self._runs and run_id not in self._resting_until_s

    def start(self, run_id: UUID, work: Coroutine[Any, Any, RunResult]) -> None:
        """Work on a run in a task, unless this process already does."""
        if run_id in self._runs:
            work.close()
            return
        self._runs.add(run_id)
        self.spawn(self._supervise(run_id, work))

    async def _supervise(self, run_id: UUID, work: Coroutine[Any, Any, RunResult]) -> None:
        pause_s = SKIP_PAUSE_S
        try:
            result = await work
            pause_s = RESTART_PAUSE_S
            if result.summary.status != "running":  # else this process left the run, and others continue it
                self._on_result(result)
        except UNAVAILABLE:
            pause_s = RESTART_PAUSE_S
        except RetentionError as error:  # its partners are not configured here
            self._log.warning("run.skipped", run_id=str(run_id), problem=str(error))
        except Exception:  # noqa: BLE001 - a crash of one run must not stop the others
            self._log.exception("run.crashed", run_id=str(run_id))
        finally:
            self._runs.discard(run_id)
            self._resting_until_s[run_id] = time.monotonic() + pause_s

    async def drain(self, timeout_s: float, beat: Callable[[], None]) -> None:
        """Wait until all tasks have ended, then return; after `timeout_s` seconds, abort the ones that are left.

        `beat` is called at least once a second meanwhile.
        """
        began_s = time.monotonic()
        self._log.info("serve.draining", runs=len(self._runs), timeout_s=timeout_s)
        while self._tasks and (left_s := began_s + timeout_s - time.monotonic()) > 0:
            beat()
            await asyncio.wait(self._tasks, timeout=min(left_s, 1.0))
        if self._tasks:
            self._log.warning("serve.drain_timed_out", runs=len(self._runs))
            self.drain_group.abort()
            await asyncio.wait(self._tasks, timeout=ABORT_TIMEOUT_S)
        self._log.info("serve.drained", after_s=round(time.monotonic() - began_s, 3))

    async def cancel_all(self) -> None:
        """Cancel the tasks that are left: their claims become doubts when the leases expire."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=ABORT_TIMEOUT_S)
