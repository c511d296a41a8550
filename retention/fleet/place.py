"""The place of one helper: starts the process, gives it work, and starts it again when it is lost.

A lost helper's claims become doubts when their leases end, as those of any process. The run goes on without it
meanwhile, and it is started again after a pause that grows while it does not stay up.
"""

from __future__ import annotations

import asyncio
import signal
import time
from contextlib import suppress
from importlib.metadata import version
from typing import TYPE_CHECKING

from retention.exit_codes import ExitCode
from retention.fleet.messages import Beat, Counted, Ended, Hello, Ready, Stop
from retention.process.child import Child, write_log

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from structlog.typing import FilteringBoundLogger

    from retention.fleet.shared_engine import SharedEngine

HELPER = "retention.wiring.helper"
"""The module that a helper runs."""

VERSION = version("retention")
"""The version of this process; an upgrade may have replaced the package on disk."""

START_AFTER_S = 0.2
"""Seconds that a run lasts before helpers are started: a run with nothing to do starts none."""

FIRST_PAUSE_S = 1.0
"""Seconds before a lost helper is started again; each further pause is twice as long."""

LONGEST_PAUSE_S = 30.0
"""Seconds of such a pause, at the most."""

STEADY_S = 60.0
"""Seconds after which a helper counts as up, so that the next pause is short again."""

SILENT_S = 30.0
"""Seconds without a message after which a helper counts as frozen, and is killed."""

TICK_S = 1.0
"""Seconds between two looks at a helper. Looks are counted, not seconds, because this process may freeze as well."""

NOT_UP_AFTER = 3
"""Losses in a row after which a helper counts as one that does not stay up."""

DRAINED = frozenset({ExitCode.DONE, ExitCode.SIGINT, ExitCode.SIGTERM})
"""Exit codes of a drained helper."""

ABORT_TIMEOUT_S = 1.0
"""Seconds that a helper gets to end without waiting for requests in flight."""


class Place:
    """The place of helper `number`. `hello` makes its first message, `lose` counts a loss."""

    def __init__(
        self, number: int, hello: Callable[[int], Hello], lose: Callable[[], None], log: FilteringBoundLogger
    ) -> None:
        self._number = number
        self._hello = hello
        self._lose = lose
        self._log = log.bind(process=number)
        self._works: dict[UUID, SharedEngine] = {}
        self._given: set[UUID] = set()
        self._child: Child | None = None
        self._replica: str | None = None  # of a helper that is ready
        self._drained = False  # whether the last helper has drained
        self._losses = 0
        self._silent_ticks = 0
        self._released = asyncio.Event()
        self._news = asyncio.Event()
        self._keeping = asyncio.create_task(self._keep())

    @property
    def problem(self) -> str | None:
        """Say that the helper does not stay up; None while it works."""
        return f"process {self._number} does not stay up" if self._losses >= NOT_UP_AFTER else None

    def give(self, engine: SharedEngine) -> None:
        """Have the helper work on a run, from its start on."""
        self._works[engine.work.run_id] = engine
        self._send_works()

    def stop(self, run_id: UUID, *, now: bool = False) -> None:
        """Have the helper drain its work on a run; `now`: without waiting for requests in flight."""
        if self._child is not None and run_id in self._given:
            self._child.channel.send(Stop(run_id, now))
        self.forget(run_id)

    def forget(self, run_id: UUID) -> None:
        """Let a helper that has not begun with a run leave it alone: the run is over."""
        if run_id not in self._given:
            self._works.pop(run_id, None)
            self._news.set()

    async def done_with(self, run_id: UUID) -> None:
        """Wait until the helper has ended its work on a run, or is lost."""
        while run_id in self._works:
            self._news.clear()
            await self._news.wait()

    async def release(self, *, now: bool) -> None:
        """Let the helper go, and wait until its process has ended; `now`: kill it if it takes long."""
        self._released.set()
        if self._child is not None:
            self._let_go(self._child)
        if now:
            await asyncio.wait([self._keeping], timeout=ABORT_TIMEOUT_S)
            if self._child is not None:
                self._child.kill()
        await self._keeping

    async def _keep(self) -> None:
        """Keep a helper in this place until it is released."""
        try:
            await self._wait_for_release(START_AFTER_S)
            pause_s = FIRST_PAUSE_S
            while not self._released.is_set():
                began_s = time.monotonic()
                why = await self._live()
                if time.monotonic() - began_s > STEADY_S:
                    self._losses, pause_s = 0, FIRST_PAUSE_S
                self._end_life(why, pause_s)
                await self._wait_for_release(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
        finally:
            self._works.clear()
            self._news.set()

    def _end_life(self, why: str, pause_s: float) -> None:
        """Report a process that has ended while runs needed it; they are given to the next one."""
        self._child = self._replica = None
        # A signal drains a helper: it ends without a word, and holds no claim.
        lost = [str(run_id) for run_id in self._given if not (self._drained and self._works[run_id].ending)]
        self._given.clear()
        self._works = {run_id: one for run_id, one in self._works.items() if not one.ending}
        self._news.set()
        if self._works or (lost and not self._released.is_set()):
            self._losses += 1
            self._lose()
            again_s = pause_s if self._works else None  # an ending run needs no other helper
            self._log.error("process.lost", problem=why, runs=lost, again_s=again_s)

    def _let_go(self, child: Child) -> None:
        """Have a helper end; one that is not ready has nothing in hand, and would take long to read its message."""
        child.kill() if self._replica is None else child.channel.end()

    async def _live(self) -> str:
        """Live through one process, from its start to its end; returns why it ended."""
        try:
            child = self._child = await Child.start(HELPER, write_log)
        except (OSError, RuntimeError) as error:  # too many processes, or no memory
            return f"it cannot be started: {error}"
        watching = asyncio.create_task(self._watch(child))
        try:
            if self._released.is_set():
                return ""
            child.channel.send(VERSION)
            child.channel.send(self._hello(self._number))
            while (message := await child.channel.receive()) is not None:
                self._silent_ticks = 0
                self._on(message)
            code = await child.ended()
            self._drained = code in DRAINED
            return _end_text(code)
        finally:
            watching.cancel()
            await child.end()

    def _on(self, message: object) -> None:
        match message:
            case Ready(replica):
                self._replica = replica
                self._send_works()
            case Counted(run_id, counts) if run_id in self._works:
                self._works[run_id].counters.add(counts)
            case Ended(run_id, unreachable) if run_id in self._works:
                self._works.pop(run_id).unreachable.update(unreachable)
                self._given.discard(run_id)
                self._news.set()
            case Beat():
                pass

    def _send_works(self) -> None:
        if self._child is None or self._replica is None:
            return
        for run_id, engine in self._works.items():
            if run_id not in self._given and not engine.ending:
                self._given.add(run_id)
                engine.helpers.add(self._replica)
                self._child.channel.send(engine.work)

    async def _watch(self, child: Child) -> None:
        """Kill a helper whose loop stands still: it keeps its claims, and the run could not end."""
        self._silent_ticks = 0
        while self._silent_ticks * TICK_S < SILENT_S:
            await asyncio.sleep(TICK_S)
            self._silent_ticks += 1
        self._log.error("process.silent", problem=f"nothing has turned for {SILENT_S:.0f} s; it is killed")
        child.kill()

    async def _wait_for_release(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._released.wait()


def _end_text(code: int) -> str:
    if code >= 0:
        return f"it ended with {code}"
    try:
        return f"it was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"it was killed by signal {-code}"
