"""What a daemon has going: runs that it works on, and whatever else it began; and how all of that ends."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from retention.daemon.drain_group import DrainGroup
from retention.errors import RetentionError
from retention.ledger.database_errors import UNAVAILABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from uuid import UUID

    from structlog.typing import FilteringBoundLogger

    from retention.runs.model import RunResult

RESTART_PAUSE_S = 1.0
"""Seconds before this process goes back to a run that it has left, or lost with the database."""

SKIP_PAUSE_S = 30.0
"""Seconds before it goes back to a run that it could not work on."""

ABORT_TIMEOUT_S = 2.0
"""Seconds that what is cut off is given to end."""


class RunSupervisor:
    """Runs at work in this process, each once. `ended` is told how each of them ended here."""

    def __init__(
        self, on_result: Callable[[RunResult], None], signalled: Callable[[], int | None], log: FilteringBoundLogger
    ) -> None:
        self.drain_group = DrainGroup(signalled)
        self._on_result = on_result
        self._log = log
        self._tasks: set[asyncio.Task[None]] = set()
        self._runs: set[UUID] = set()
        self._resting_until: dict[UUID, float] = {}

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Set something going."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def can_start(self, run_id: UUID) -> bool:
        """Whether this process could set to work on a run: it does not already, and has not just left it."""
        now = time.monotonic()
        self._resting_until = {other: until for other, until in self._resting_until.items() if until > now}
        return run_id not in self._runs and run_id not in self._resting_until

    def start(self, run_id: UUID, work: Coroutine[Any, Any, RunResult]) -> None:
        """Work on a run, unless this process does so already."""
        if run_id in self._runs:
            work.close()
            return
        self._runs.add(run_id)
        self.spawn(self._supervise(run_id, work))

    async def _supervise(self, run_id: UUID, work: Coroutine[Any, Any, RunResult]) -> None:
        rest = SKIP_PAUSE_S
        try:
            finished = await work
            rest = RESTART_PAUSE_S
            if finished.summary.status != "running":  # else this process left it, and others go on
                self._on_result(finished)
        except UNAVAILABLE:
            rest = RESTART_PAUSE_S
        except RetentionError as error:  # it is for partners that are not configured here
            self._log.warning("run.not_for_us", run_id=str(run_id), problem=str(error))
        except Exception:  # noqa: BLE001 - other runs go on
            self._log.exception("run.broken_off", run_id=str(run_id))
        finally:
            self._runs.discard(run_id)
            self._resting_until[run_id] = time.monotonic() + rest

    async def drain(self, timeout: float, beat: Callable[[], None]) -> None:  # noqa: ASYNC109 - it is a person's choice
        """Wait for all that is going to end, `timeout` seconds at the most; then have it leave as it is.

        `beat` is called again and again meanwhile: the process is alive.
        """
        began = time.monotonic()
        self._log.info("serve.draining", runs=len(self._runs), timeout_s=timeout)
        while self._tasks and (left := began + timeout - time.monotonic()) > 0:
            beat()
            await asyncio.wait(self._tasks, timeout=min(left, 1.0))
        if self._tasks:
            self._log.warning("serve.drain_timed_out", runs=len(self._runs))
            self.drain_group.abort()
            await asyncio.wait(self._tasks, timeout=ABORT_TIMEOUT_S)
        self._log.info("serve.drained", after_s=round(time.monotonic() - began, 3))

    async def cancel_all(self) -> None:
        """End whatever still goes on: what it has claimed becomes a doubt when its lease runs out."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=ABORT_TIMEOUT_S)
