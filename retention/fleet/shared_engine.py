"""The engine of a run that helper processes share: it is drained as one, and ends when all of them have ended."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from retention.engine.counters import RunCounters
    from retention.engine.engine import Engine, EngineResult
    from retention.fleet.fleet import Fleet
    from retention.fleet.messages import Work


class SharedEngine:
    """This process's engine of a run, and the helpers' engines of the same.

    `counters` get the helpers' counts, too. `ending`: the run needs no helper any more. `helpers` are the names of the
    helpers that were given the run. `unreachable` names the partners that no process could reach, as they found.
    """

    def __init__(self, engine: Engine, fleet: Fleet, work: Work, counters: RunCounters) -> None:
        self.work = work
        self.counters = counters
        self.ending = False
        self.helpers: set[str] = set()
        self.unreachable: set[str] = set()
        self._engine = engine
        self._fleet = fleet

    def stop(self) -> None:
        """Drain all engines of the run."""
        self.ending = True
        self._engine.stop()
        self._fleet.stop(self.work.run_id)

    def abort(self) -> None:
        """End all of them without waiting."""
        self.ending = True
        self._engine.abort()
        self._fleet.stop(self.work.run_id, now=True)

    async def run(self) -> EngineResult:
        """Work until the run is over for all of them. Raises the error of this process's engine, after the drain."""
        self._fleet.join(self)
        cancelled = True
        try:
            result = await self._engine.run()
            cancelled = False
        except asyncio.CancelledError:
            self.abort()
            raise
        except BaseException:
            cancelled = False
            self.stop()
            raise
        finally:
            self.ending = True
            await self._fleet.leave(self.work.run_id, now=cancelled)
        unreachable = sorted({*result.unreachable, *self.unreachable})
        return replace(result, unreachable=tuple(unreachable), helpers=tuple(self.helpers))
