"""What runs.py is given and what it gives: who asks for a run, its plan, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from retention.core.planning.plan import Plan
    from retention.core.runs.summary import Summary
    from retention.engine.engine import EngineResult
    from retention.exit_codes import ExitCode
    from retention.settings.model import Policy


class Work(Protocol):
    """Sends and settles a run's plan: the engine, put together for it."""

    async def __call__(self, run_id: UUID, policy: Policy, passed: Sequence[str]) -> EngineResult:
        """Work on the run until it is over for this process."""


class Confirm(Protocol):
    """Asks a person."""

    async def __call__(self, planned: Planned, doubts: int) -> bool:
        """Whether the plan is to be carried out, and so many `doubts` of earlier runs are to be settled."""


@dataclass(frozen=True, slots=True)
class RunResult:
    """What became of a run, and the exit code that tells it."""

    summary: Summary
    exit: ExitCode
    plan: Plan | None = None
    warnings: tuple[str, ...] = ()

    @property
    def behind_stalled(self) -> bool:
        """Whether an earlier run of the policy stands still, so that this one had not all to do."""
        others = self.plan.elsewhere if self.plan else ()
        return any(other.stalled and other.policy == self.summary.policy for other in others)


@dataclass(frozen=True, slots=True)
class RequestedBy:
    """Who asks for a run, and why; `scheduled_for` is the time of the policy's schedule, where nobody asks."""

    requested_by: str
    reason: str | None = None
    scheduled_for: datetime | None = None


@dataclass(frozen=True, slots=True)
class Planned:
    """A run whose plan is frozen, and under which policy."""

    run_id: UUID
    policy: Policy
    plan: Plan


@dataclass(frozen=True, slots=True)
class Halt:
    """Why a run is halted before its first call; `paused_for`: the partners whose pause does it, until that ends."""

    reason: str
    paused_for: tuple[str, ...] = ()
