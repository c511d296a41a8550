"""A helper process: works on the runs that the first process names, as a replica with `run --resume` would.

It plans nothing, decides about no rail and notifies nobody. When the first process has ended, however it ended, the
helper drains and ends too, so nothing is sent without a supervisor.
"""

from __future__ import annotations

import asyncio
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from retention.engine.counters import ProcessCounters, RunCounters
from retention.exit_codes import ExitCode
from retention.fleet.messages import Beat, Counted, Ended, Stop, Work
from retention.process.drain_group import DrainGroup

if TYPE_CHECKING:
    from uuid import UUID

    from retention.engine.engine import EngineResult
    from retention.process.channel import Channel
    from retention.process.shutdown import DrainScope

BEAT_INTERVAL_S = 0.5
"""Seconds between two messages with counts: the progress display and `/metrics` are as old as that."""


class Do(Protocol):
    """Works on a run until it ends for this process."""

    async def __call__(self, work: Work, counters: RunCounters, scope: DrainScope) -> EngineResult:
        """Work on it. `scope` drains it."""


@dataclass(frozen=True, slots=True)
class _Part:
    """The work on one run."""

    task: asyncio.Task[EngineResult]
    counters: RunCounters
    scope: DrainGroup


class Helper:
    """Works on runs with `do`, and sends their counts. A work that fails drains the others, and `run` raises."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._parts: dict[UUID, _Part] = {}
        self._code: ExitCode | None = None
        self._leaving = asyncio.Event()
        self._beating = asyncio.create_task(self._beat())

    async def run(self, do: Do) -> ExitCode:
        """Work until the first process ends or a signal comes, then drain; returns the exit code."""
        loop = asyncio.get_running_loop()
        for number, code in ((signal.SIGTERM, ExitCode.SIGTERM), (signal.SIGINT, ExitCode.SIGINT)):
            loop.add_signal_handler(number, self._on_signal, code)
        receiving = asyncio.create_task(self._receive(do))
        receiving.add_done_callback(lambda _: self._leaving.set())
        await self._leaving.wait()
        receiving.cancel()
        for part in self._parts.values():
            part.scope.stop()
        tasks = [receiving, *(part.task for part in self._parts.values())]
        results = await asyncio.gather(*tasks, return_exceptions=True)
        self._beating.cancel()
        for run_id in [*self._parts]:
            self._tell_counts(run_id)
        for result in results:
            if isinstance(result, Exception):
                raise result
        return self._code or ExitCode.DONE

    async def _receive(self, do: Do) -> None:
        while (message := await self._channel.receive()) is not None:
            match message:
                case Work():
                    self._begin(message, do)
                case Stop(run_id, now) if run_id in self._parts:
                    scope = self._parts[run_id].scope
                    scope.abort() if now else scope.stop()

    def _begin(self, work: Work, do: Do) -> None:
        counters = RunCounters(work.policy.name, ProcessCounters())
        scope = DrainGroup(lambda: self._code)
        task = asyncio.create_task(do(work, counters, scope))
        self._parts[work.run_id] = _Part(task, counters, scope)
        task.add_done_callback(lambda done: self._end(work.run_id, done))

    def _end(self, run_id: UUID, task: asyncio.Task[EngineResult]) -> None:
        if task.cancelled() or task.exception() is not None:
            self._leaving.set()  # `run` raises it
            return
        if self._leaving.is_set():
            return  # the run needs another helper
        self._tell_counts(run_id)
        del self._parts[run_id]
        self._channel.send(Ended(run_id, task.result().unreachable))

    def _on_signal(self, code: ExitCode) -> None:
        """The first signal drains, the second aborts, as in any command."""
        if self._code is not None:
            for part in self._parts.values():
                part.scope.abort()
        self._code = code
        self._leaving.set()

    async def _beat(self) -> None:
        while True:
            self._channel.send(Beat())
            for run_id in self._parts:
                self._tell_counts(run_id)
            await asyncio.sleep(BEAT_INTERVAL_S)

    def _tell_counts(self, run_id: UUID) -> None:
        counts = self._parts[run_id].counters.tally
        if not counts.is_empty:
            self._channel.send(Counted(run_id, counts.take()))
