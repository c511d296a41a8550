"""The values of a run service: who requests a run, its plan, and its result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from datetime import datetime
    from uuid import UUID

    from structlog.typing import FilteringBoundLogger

    from retention.core.evidence.checkpoint import Checkpoint
    from retention.core.planning.plan import Plan, Scope
    from retention.core.runs.summary import Summary
    from retention.engine.counters import ProcessCounters
    from retention.engine.engine import EngineResult
    from retention.exit_codes import ExitCode
    from retention.ledger.approvals import Approvals
    from retention.ledger.claims import PartnerTerms
    from retention.ledger.named_rounds import NamedRounds
    from retention.ledger.pauses import Pauses
    from retention.ledger.plans import Plans
    from retention.ledger.runs import RunLedger
    from retention.ledger.stalled_runs import StalledRuns
    from retention.runs.checkpoints import Checkpoints
    from retention.settings.policy import Policy


class Work(Protocol):
    """Sends and settles the rounds of a run: the engine, assembled for that run."""

    async def __call__(self, run_id: UUID, policy: Policy, overridden: Sequence[str]) -> EngineResult:
        """Work on the run until it ends for this process. `overridden`: the rails that no longer halt it."""


class Confirm(Protocol):
    """Asks a person to confirm a plan."""

    async def __call__(self, planned: Planned, doubts: int) -> bool:
        """Whether the person confirms the plan. `doubts`: the doubts of earlier runs that this run settles."""


@dataclass(frozen=True, slots=True)
class RunParts:
    """The collaborators of all runs of one process.

    `replica`: this process's name. `check_configured` raises UsageError where a policy's partners are not configured.
    `signal_code`: the exit code of the signal that stopped this process, if any. `policy_now`: a policy as configured
    now, with its partners' names; None where it is not configured. `scope`: the rounds that a policy selects, and the
    terms of its partners; the number limits the rounds. `clock_limit`: the allowed clock difference of a policy, in
    seconds. `longest_lease`: how many seconds after its slot a request of any partner has ended.
    """

    ledger: RunLedger
    plans: Plans
    named: NamedRounds
    stalls: StalledRuns
    pauses: Pauses
    checkpoints: Checkpoints
    approvals: Approvals
    replica: str
    work: Work
    check_configured: Callable[[Policy], None]
    counters: ProcessCounters
    log: FilteringBoundLogger
    signal_code: Callable[[], ExitCode | None]
    policy_now: Callable[[str], Policy | None]
    scope: Callable[[Policy, int | None], tuple[Scope, Sequence[PartnerTerms]]]
    clock_limit: Callable[[str], float]
    begin_month: Callable[[], Awaitable[None]]
    longest_lease: float


@dataclass(frozen=True, slots=True)
class RunResult:
    """The result of a run, and the exit code of a command that made it. `checkpoint`: the newest one at its end."""

    summary: Summary
    exit: ExitCode
    plan: Plan | None = None
    warnings: tuple[str, ...] = ()
    checkpoint: Checkpoint | None = None

    @property
    def behind_stalled(self) -> bool:
        """Whether an earlier run of the policy has stalled, so that this run did not get all of its rounds."""
        others = self.plan.elsewhere if self.plan else ()
        return any(other.stalled and other.policy == self.summary.policy for other in others)


@dataclass(frozen=True, slots=True)
class RequestedBy:
    """The person who requests a run, and the reason. `scheduled_for`: the scheduled time of a run by schedule."""

    requested_by: str
    reason: str | None = None
    scheduled_for: datetime | None = None


@dataclass(frozen=True, slots=True)
class Planned:
    """A run with a frozen plan, and its policy."""

    run_id: UUID
    policy: Policy
    plan: Plan


@dataclass(frozen=True, slots=True)
class Halt:
    """Why a run halts before its first request. `paused_for`: the partners whose pauses halt it until they end."""

    reason: str
    paused_for: tuple[str, ...] = ()
