"""Starts runs, works on them, and ends their work in this process with a result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from retention.core.runs.pauses import pause_of_all
from retention.core.runs.summary import exit_code
from retention.runs.model import Halt, RunResult

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from structlog.typing import FilteringBoundLogger

    from retention.core.planning.plan import Plan
    from retention.core.planning.rails import Tripped
    from retention.runs.approvals import RunApprovals
    from retention.runs.model import RunParts
    from retention.settings.policy import Policy


@dataclass(frozen=True, slots=True)
class RunToStart:
    """A run about to start. `log` is bound to it; `plan` where this process made it; `overridden` are rails."""

    run_id: UUID
    policy: Policy
    log: FilteringBoundLogger
    plan: Plan | None = None
    overridden: Sequence[str] = ()


class RunStarter:
    """Starts or halts runs, and gives their results."""

    def __init__(self, parts: RunParts, approvals: RunApprovals) -> None:
        self._parts = parts
        self._ledger = parts.ledger
        self._approvals = approvals

    async def halt_before_start(self, policy: Policy, tripped: Sequence[Tripped]) -> Halt | None:
        """Return the halt of a run before its first request: a tripped rail, or a pause of all its partners."""
        if tripped:
            return Halt("; ".join(map(str, tripped)))
        partners = policy.partners or ()
        pause = pause_of_all(await self._parts.pauses.find_pauses(partners), partners)
        return Halt(pause, paused_for=partners) if pause else None

    async def start(self, run: RunToStart, *, resumed: bool = False, by: str | None = None) -> RunResult:
        """Start a run or join it, work on it until it ends for this process, and return its result.

        A run that is over is not started, and one that requires an approval waits for it. `resumed`: a person resumes
        the run, so one that failed, or that another cause than a pause halted, is started too, and `by` is recorded.
        Raises ClockError.
        """
        deadline_s = run.policy.deadline.total_seconds() if run.policy.deadline else None
        await self._ledger.clock.require_time(self._parts.clock_limit(run.policy.name))
        if not await self._approvals.admit(run.run_id, run.log):
            return await self.result(run.run_id, plan=run.plan)
        start = await self._ledger.start_run(
            run.run_id,
            deadline_s,
            resumed=resumed,
            by=by,
            replica=self._parts.replica,
            gated=run.policy.requires_approval,
        )
        if start is None:
            return await self.result(run.run_id, plan=run.plan)
        run.log.info(start.value, mode=run.policy.mode)
        if refusal := await self._ledger.try_close_rounds():
            return await self.halt(run, Halt(refusal))
        async with self._parts.checkpoints.every_minute():
            ended = await self._parts.work(run.run_id, run.policy, run.overridden)
        result = await self.result(
            run.run_id, plan=run.plan, unreachable=bool(ended.unreachable), stopped=ended.stopped
        )
        # The row names the process that ended the run, because that process may have lost the answer to its COMMIT.
        ours = {self._parts.replica, *ended.helpers}
        return self.log_result(run.log, result, ended=result.summary.ended_by in ours)

    async def halt(self, run: RunToStart, halt: Halt) -> RunResult:
        """Halt a run before its first request."""
        await self._ledger.halt_run(run.run_id, self._parts.replica, halt.reason, paused_for=halt.paused_for)
        run.log.warning("run.halted", halt_reason=halt.reason)
        return await self.result(run.run_id, plan=run.plan)

    def log_result(self, log: FilteringBoundLogger, result: RunResult, *, ended: bool = True) -> RunResult:
        """Log the result of a run: `run.left`, unless this process `ended` the run."""
        summary = result.summary
        log.info(
            "run.left" if not ended else "run.halted" if summary.status == "halted" else "run.finished",
            status=summary.status,
            exit_code=int(result.exit),
            halt_reason=summary.halt_reason,
            rounds=summary.rounds,
            states={state.value: count for state, count in summary.states.items()},
        )
        return result

    async def result(
        self,
        run_id: UUID,
        *,
        plan: Plan | None = None,
        warnings: tuple[str, ...] = (),
        unreachable: bool = False,
        stopped: bool = False,
    ) -> RunResult:
        """Read the result of a run, and make a checkpoint. `unreachable`: a vendor was. `stopped`: by a signal."""
        summary = await self._ledger.summarize_run(run_id)
        code = exit_code(
            summary,
            stopped_by=self._parts.signal_code() if stopped else None,
            unreachable=unreachable,
            stuck=plan is not None and any(other.is_stuck for other in plan.elsewhere),
            refused=plan is not None and bool(plan.refused),
        )
        return RunResult(summary, code, plan, warnings, await self._parts.checkpoints.make())
