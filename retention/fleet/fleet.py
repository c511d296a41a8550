"""The helper processes of one command. They exist while it sends: a daemon without a run has none.

The first process is the supervisor: it plans, checks the rails, starts runs, notifies, answers HTTP, writes log and
metrics, and sends itself. Its helpers send with it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from retention.fleet.messages import Hello
from retention.fleet.place import Place
from retention.fleet.shared_engine import SharedEngine

if TYPE_CHECKING:
    from uuid import UUID

    from structlog.typing import FilteringBoundLogger

    from retention.engine.counters import ProcessCounters, RunCounters
    from retention.engine.engine import Engine
    from retention.fleet.messages import Work
    from retention.log import LogForm
    from retention.settings.model import Settings


class Fleet:
    """The helpers of one process: with it, `processes` work on each run."""

    def __init__(
        self,
        processes: int,
        log_form: LogForm,
        connections: int,
        counters: ProcessCounters,
        log: FilteringBoundLogger,
    ) -> None:
        self._processes = processes
        self._log_form = log_form
        self._connections = connections
        self._counters = counters
        self._log = log
        self._works: dict[UUID, SharedEngine] = {}
        self._places: list[Place] = []
        self._settings: Settings | None = None

    @property
    def problem(self) -> str | None:
        """Say which helper does not stay up; None while all work."""
        return next((place.problem for place in self._places if place.problem), None)

    def share(self, engine: Engine, work: Work, counters: RunCounters) -> SharedEngine:
        """Return this engine as one that the helpers share."""
        return SharedEngine(engine, self, work, counters)

    def join(self, engine: SharedEngine) -> None:
        """Have each helper work on a run; the first run starts them."""
        if not self._works:
            self._places = [
                Place(number, self._hello, self._lose, self._log) for number in range(2, self._processes + 1)
            ]
        self._works[engine.work.run_id] = engine
        self._settings = engine.work.settings
        for place in self._places:
            place.give(engine)

    def stop(self, run_id: UUID, *, now: bool = False) -> None:
        """Have each helper drain its work on a run; `now`: without waiting for requests in flight."""
        for place in self._places:
            place.stop(run_id, now=now)

    async def leave(self, run_id: UUID, *, now: bool) -> None:
        """Wait until each helper has ended its work on a run; the last run lets them go. `now`: kill them soon."""
        places = self._places
        for place in places:
            place.forget(run_id)
        if not now:
            await asyncio.gather(*(place.done_with(run_id) for place in places))
        del self._works[run_id]
        if not self._works and self._places is places:
            self._places = []
            await asyncio.gather(*(place.release(now=now) for place in places))

    def _hello(self, number: int) -> Hello:
        assert self._settings is not None  # a run has joined
        return Hello(number, self._settings, self._log_form, self._connections)

    def _lose(self) -> None:
        self._counters.lost += 1
