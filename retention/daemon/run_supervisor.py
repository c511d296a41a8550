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

    from retention.exit_codes import ExitCode
    from retention.runs.model import RunResult

SOON = 1.0
"""Seconds before this process goes back to a run that it has left, or lost with the database."""

LATER = 30.0
"""Seconds before it goes back to a run that it could not work on."""

LEAVE = 2.0
"""Seconds that what is cut off is given to end."""


class RunSupervisor:
    """Runs at work in this process, each once. `ended` is told how each of them ended here."""

    def __init__(
        self, ended: Callable[[RunResult], None], signalled: Callable[[], ExitCode | None], log: FilteringBoundLogger
    ) -> None:
        self.drain_group = DrainGroup(signalled)
        self._ended = ended
        self._log = log
        self._tasks: set[asyncio.Task[None]] = set()
        self._runs: set[UUID] = set()
        self._rests: dict[UUID, float] = {}

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Set something going."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def wants(self, run_id: UUID) -> bool:
        """Whether this process could set to work on a run: it does not already, and has not just left it."""
        now = time.monotonic()
        self._rests = {other: until for other, until in self._rests.items() if until > now}
        return run_id not in self._runs and run_id not in self._rests

    def work_on(self, run_id: UUID, going: Coroutine[Any, Any, RunResult]) -> None:
        """Work on a run, unless this process does so already."""
        if run_id in self._runs:
            going.close()
            return
        self._runs.add(run_id)
        self.begin(self._work(run_id, going))

    async def _work(self, run_id: UUID, going: Coroutine[Any, Any, RunResult]) -> None:
        rest = LATER
        try:
            finished = await going
            rest = SOON
            if finished.summary.status != "running":  # else this process left it, and others go on
                self._ended(finished)
        except UNAVAILABLE:
            rest = SOON
        except RetentionError as error:  # it is for partners that are not configured here
            self._log.warning("run.not_for_us", run_id=str(run_id), problem=str(error))
        except Exception:  # noqa: BLE001 - other runs go on
            self._log.exception("run.broken_off", run_id=str(run_id))
        finally:
            self._runs.discard(run_id)
            self._rests[run_id] = time.monotonic() + rest

    async def drain(self, timeout: float, turned: Callable[[], None]) -> None:  # noqa: ASYNC109 - it is a person's choice
        """Wait for all that is going to end, `timeout` seconds at the most; then have it leave as it is.

        `turned` is called again and again meanwhile: the process is alive.
        """
        began = time.monotonic()
        self._log.info("serve.draining", runs=len(self._runs), timeout_s=timeout)
        while self._tasks and (left := began + timeout - time.monotonic()) > 0:
            turned()
            await asyncio.wait(self._tasks, timeout=min(left, 1.0))
        if self._tasks:
            self._log.warning("serve.drain_timed_out", runs=len(self._runs))
            self.drain_group.abort()
            await asyncio.wait(self._tasks, timeout=LEAVE)
        self._log.info("serve.drained", after_s=round(time.monotonic() - began, 3))

    async def cut_off(self) -> None:
        """End whatever still goes on: what it has claimed becomes a doubt when its lease runs out."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=LEAVE)
