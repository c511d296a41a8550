"""The phase of one engine, which its parts share: no part keeps a flag of its own.

An engine runs until something drains it. Then nothing more is claimed or sent, replies to requests in flight are
awaited, and claims are released. Once no more replies can come, the settler finishes. The reason for the drain decides
how the run goes on: the strongest one counts.
"""

from __future__ import annotations

import asyncio
import enum


class Phase(enum.IntEnum):
    """How far an engine has come."""

    RUNNING = 0
    DRAINING = 1
    FINISHING = 2
    """No more replies come; the settler writes the last ones."""
    DONE = 3


class DrainReason(enum.IntEnum):
    """Why an engine drains; the greatest of several counts."""

    RUN_ENDED = 0
    """The run is over, halted or paused: this process has nothing to decide."""
    CALLED_OFF = 1
    """A person has called the run off."""
    OVERDUE = 2
    """The run's deadline has come: this process closes the run."""
    STOPPED = 3
    """This process is to stop; the run goes on without it."""
    FAILED = 4
    """A part of the engine has failed: its error is raised after the drain."""


class Lifecycle:
    """Phase and reason of one engine. `running` says the same as the phase; senders ask it for each request.

    `draining` is set from the drain on; `aborted` is set when nothing more may be waited for.
    """

    def __init__(self) -> None:
        self.phase = Phase.RUNNING
        self.running = True
        self.reason: DrainReason | None = None
        self.draining = asyncio.Event()
        self.aborted = asyncio.Event()

    def drain(self, reason: DrainReason) -> None:
        """Begin to drain, or learn of another reason."""
        self.reason = reason if self.reason is None else max(self.reason, reason)
        self.advance(Phase.DRAINING)

    def advance(self, phase: Phase) -> None:
        """Enter a phase; no phase comes twice."""
        self.phase = max(self.phase, phase)
        self.running = self.phase is Phase.RUNNING
        if not self.running:
            self.draining.set()

    def abort(self) -> None:
        """Wait for nothing more, neither in flight nor unwritten."""
        self.aborted.set()
