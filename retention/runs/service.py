"""A run from beginning to end: plan, rails, engine, summary."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from retention.core.planning.rails import check_plan
from retention.core.runs.pauses import pause_of_all
from retention.core.runs.summary import NOT_CONFIRMED, exit_code
from retention.errors import UsageError
from retention.exit_codes import ExitCode
from retention.runs.model import Halt, Planned, RunResult
from retention.runs.narrowing import chosen
from retention.runs.planning import Planning
from retention.runs.stored_policy import stored_policy, stricter_now

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from uuid import UUID

    from structlog.typing import FilteringBoundLogger

    from retention.core.planning.plan import Plan, Scope
    from retention.core.planning.rails import Tripped
    from retention.engine.counters import ProcessCounters
    from retention.ledger.claims import PartnerTerms
    from retention.ledger.pauses import Pauses
    from retention.ledger.plans import Plans
    from retention.ledger.runs import RunLedger
    from retention.ledger.stalled_runs import StalledRuns
    from retention.runs.model import Confirm, RequestedBy, Work
    from retention.settings.model import Policy

STRICTER = "stricter"
"""What halts a run whose policy has become stricter, as a rail does."""

WHILE_RUNNING = ("max_failure_ratio", "max_conflicts")
"""The rails that halt a run in its midst."""

ENDED_STATUSES = {"finished", "cancelled"}
"""What a run's status is when nothing can be done with it any more."""


class RunService:
    """Makes runs.

    `replica` is this process's name. `able` raises UsageError where it could not carry out a policy's run; `signalled`
    tells the exit code of the signal that stopped it, if one did. `policy_now` gives a policy as it is configured, its
    partners named; None where there is none. `scope` tells which rounds a policy looks at, at the most so many.
    `clock_limit` tells, by policy, how many seconds clocks may be apart.
    """

    def __init__(
        self,
        ledger: RunLedger,
        plans: Plans,
        stalls: StalledRuns,
        pauses: Pauses,
        replica: str,
        work: Work,
        able: Callable[[Policy], None],
        tally: ProcessCounters,
        log: FilteringBoundLogger,
        signalled: Callable[[], ExitCode | None],
        policy_now: Callable[[str], Policy | None],
        scope: Callable[[Policy, int | None], tuple[Scope, Sequence[PartnerTerms]]],
        clock_limit: Callable[[str], float],
    ) -> None:
        self._ledger = ledger
        self._plans = plans
        self._policy_now = policy_now
        self._planning = Planning(plans, stalls, tally, log, scope, clock_limit)
        self._clock_limit = clock_limit
        self._pauses = pauses
        self._replica = replica
        self._work = work
        self._able = able
        self._log = log
        self._signalled = signalled

    async def plan(
        self, policy: Policy, scope: Scope, terms: Sequence[PartnerTerms], order: RequestedBy
    ) -> Planned | None:
        """Plan a run of the policy; None where its scheduled time has another one already, or none can be had.

        Where the operator's view cannot be read, a scheduled run is on record as failed, so that people are told once;
        whoever asks for a run is told by ViewError.
        """
        configured = self._policy_now(policy.name) if order.scheduled_for is None else None
        return await self._planning.plan(policy, scope, terms, order, chosen(policy, configured))

    async def execute(self, planned: Planned, confirm: Confirm | None = None) -> RunResult:
        """Carry a planned run out, within its rails.

        `confirm` may still call it off now that the plan is known: the next run has its rounds then.
        """
        run_id, policy, plan = planned.run_id, planned.policy, planned.plan
        log = self._bound(run_id, policy)
        tripped = check_plan(plan.figures(), policy.limits)
        if policy.mode == "dry_run":
            warnings = tuple(f"an enforcing run would halt: {rail}" for rail in tripped)
            return self._tell(log, await self._finished(run_id, plan=plan, warnings=warnings))
        if stop := await self._stopped(tripped, policy):
            return await self._halt(run_id, stop, log, plan)
        if confirm is not None and not await self._confirmed(planned, confirm):
            return await self._call_off(run_id, log, plan)
        return await self._go(run_id, policy, (), log, plan)

    async def join(self, run_id: UUID) -> RunResult:
        """Help with a run that is going, or go on with one that was interrupted or paused.

        One that was halted meanwhile is only told of: to set it going again is a person's business.
        """
        row, policy, log = await self._known(run_id)
        if row.status in ENDED_STATUSES or (row.status in {"halted", "failed"} and not row.paused):
            return await self._finished(run_id)
        self._able(policy)
        if await self._hold_to_policy(row, policy, log):
            return await self._finished(run_id)
        return await self._set_going(row, policy, log, await self._tripped(row, policy))

    async def hold_to_policy(self, run_id: UUID) -> None:
        """Halt a run whose policy has become stricter since it was planned: to go on is a person's business."""
        row, policy, log = await self._known(run_id)
        self._able(policy)
        await self._hold_to_policy(row, policy, log)

    async def resume(self, run_id: UUID, *, override: str | None, by: str) -> RunResult:
        """Go on with a halted or interrupted run, or help with one that is going. A finished one is only told of."""
        row, policy, log = await self._known(run_id)
        if row.status in ENDED_STATUSES:
            if override:
                raise UsageError(f"run {run_id} is {row.status}: there is no rail to pass")
            return await self._finished(run_id)
        if policy.mode == "dry_run":
            raise UsageError(f"run {run_id} is a dry run that failed: there is nothing to go on with")
        if row.status == "failed" and not (finished := await self._finished(run_id)).summary.has_unsent:
            return finished  # what it did not send, a new run plans
        self._able(policy)
        if words := self._stricter(row, policy):
            detail = "; ".join(words)
            log.warning("run.policy_stricter", detail=detail, requested_by=by)
            await self._ledger.add_override(run_id, STRICTER, detail, by)
        plan = await self._planning.complete(row, policy, _passed(row), override=bool(override))
        tripped = await self._tripped(row, policy)
        if override:
            rails = [rail.rail for rail in tripped]
            # These cannot be found again: replies and closings are past, and the plan may have become smaller.
            halted_by = (row.halt_reason or "").partition(":")[0]
            if halted_by in {"max_rounds", *WHILE_RUNNING} - {*rails}:
                rails.append(halted_by)
            if not rails:
                raise UsageError(
                    f"run {run_id} is not halted by a rail ({row.halt_reason or row.status}); resume it as it is"
                )
            for rail in rails:
                await self._ledger.add_override(run_id, rail, override, by)
                log.warning("run.overridden", rail=rail, requested_by=by, reason=override)
            row, tripped = await self._ledger.get_run(run_id), []
        return await self._set_going(row, policy, log, tripped, plan, again=True)

    async def close(self, run_id: UUID, by: str, note: str) -> Any:
        """Call a run off for good; raises UsageError where there is none, or it is over. Returns what it came to."""
        row = await self._ledger.close_run(run_id, self._replica, f"closed by {by}: {note}")
        if row is None:
            raise UsageError(f"there is no run {run_id}; `retention runs list` shows the newest")
        if not row.done:
            raise UsageError(f"run {run_id} is {row.status} already: there is nothing to call off")
        self._log.warning(
            "run.closed", run_id=str(run_id), requested_by=by, reason=note, not_sent=row.not_sent, in_doubt=row.in_doubt
        )
        return row

    def _stricter(self, row: Any, policy: Policy) -> list[str]:
        return stricter_now(row.settings, policy, self._policy_now(policy.name))

    async def _hold_to_policy(self, row: Any, policy: Policy, log: FilteringBoundLogger) -> bool:
        # Replicas may be reloaded one after the other: the one with the stricter policy decides for all.
        words = "; ".join(self._stricter(row, policy))
        if not words or any((one["rail"], one["text"]) == (STRICTER, words) for one in row.overrides):
            return False  # a person who resumed it has said so
        reason = f"{STRICTER}: {words}"
        if await self._ledger.halt_for_stricter_policy(row.run_id, self._replica, reason):
            log.warning("run.halted", halt_reason=reason)
        return True

    async def _known(self, run_id: UUID) -> tuple[Any, Policy, FilteringBoundLogger]:
        """A run's row, and its policy as it was then."""
        row = await self._ledger.get_run(run_id)
        if row is None:
            raise UsageError(f"there is no run {run_id}; `retention runs list` shows the newest")
        policy = stored_policy(run_id, row.settings)
        return row, policy, self._bound(run_id, policy)

    async def _tripped(self, row: Any, policy: Policy) -> list[Tripped]:
        """The rails that the run's plan does not pass, and that nobody has passed it over."""
        return check_plan(await self._plans.get_plan_totals(row.run_id), policy.limits, _passed(row))

    async def _set_going(
        self,
        row: Any,
        policy: Policy,
        log: FilteringBoundLogger,
        tripped: Sequence[Tripped],
        plan: Plan | None = None,
        *,
        again: bool = False,
    ) -> RunResult:
        if stop := await self._stopped(tripped, policy):
            return await self._halt(row.run_id, stop, log, plan)
        return await self._go(row.run_id, policy, _passed(row), log, plan, again=again)

    def _bound(self, run_id: UUID, policy: Policy) -> FilteringBoundLogger:
        return self._log.bind(run_id=str(run_id), policy=policy.name)

    async def _stopped(self, tripped: Sequence[Tripped], policy: Policy) -> Halt | None:
        """What keeps a run from its first call, if anything does."""
        if tripped:
            return Halt("; ".join(map(str, tripped)))
        partners = policy.partners or ()
        pause = pause_of_all(await self._pauses.find_pauses(partners), partners)
        return Halt(pause, paused_for=partners) if pause else None

    async def _confirmed(self, planned: Planned, confirm: Confirm) -> bool:
        """Whether somebody says yes to the plan; a signal is a no. Where there is nothing to do, nobody is asked."""
        doubts = sum((await self._ledger.summarize_run(planned.run_id)).taken_up.values())
        if not planned.plan.rounds and not doubts:
            return True
        try:
            return await confirm(planned, doubts)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if self._signalled() is None or task is None:
                raise
            task.uncancel()
            return False

    async def _call_off(self, run_id: UUID, log: FilteringBoundLogger, plan: Plan) -> RunResult:
        await self._ledger.close_run(run_id, self._replica, NOT_CONFIRMED)
        log.info("run.closed", reason=NOT_CONFIRMED)
        # A person's own no is no failure.
        return RunResult(await self._ledger.summarize_run(run_id), self._signalled() or ExitCode.DONE, plan)

    async def _go(
        self,
        run_id: UUID,
        policy: Policy,
        passed: Sequence[str],
        log: FilteringBoundLogger,
        plan: Plan | None,
        *,
        again: bool = False,
    ) -> RunResult:
        deadline = policy.deadline.total_seconds() if policy.deadline else None
        await self._ledger.clock.require_time(self._clock_limit(policy.name))
        start = await self._ledger.start_run(run_id, deadline, again=again)
        if start is None:
            return await self._finished(run_id, plan=plan)
        log.info(start.value, mode=policy.mode)
        if refusal := await self._ledger.try_close_rounds():
            return await self._halt(run_id, Halt(refusal), log, plan)
        ending = await self._work(run_id, policy, passed)
        finished = await self._finished(run_id, plan=plan, unreachable=bool(ending.lost), stopped=ending.stopped)
        # The row says it: whoever ended the run may have had no answer.
        return self._tell(log, finished, ended=finished.summary.ended_by == self._replica)

    def _tell(self, log: FilteringBoundLogger, finished: RunResult, *, ended: bool = True) -> RunResult:
        """Log what the run came to; of the processes that worked on it, the one that `ended` it says so."""
        summary = finished.summary
        log.info(
            "run.left" if not ended else "run.halted" if summary.status == "halted" else "run.finished",
            status=summary.status,
            exit_code=int(finished.exit),
            halt_reason=summary.halt_reason,
            rounds=summary.rounds,
            states={state.value: count for state, count in summary.states.items()},
        )
        return finished

    async def _halt(self, run_id: UUID, stop: Halt, log: FilteringBoundLogger, plan: Plan | None) -> RunResult:
        await self._ledger.halt_run(run_id, self._replica, stop.reason, paused_for=stop.paused_for)
        log.warning("run.halted", halt_reason=stop.reason)
        return await self._finished(run_id, plan=plan)

    async def _finished(
        self,
        run_id: UUID,
        *,
        plan: Plan | None = None,
        warnings: tuple[str, ...] = (),
        unreachable: bool = False,
        stopped: bool = False,
    ) -> RunResult:
        summary = await self._ledger.summarize_run(run_id)
        code = exit_code(
            summary,
            stopped_by=self._signalled() if stopped else None,
            unreachable=unreachable,
            stuck=plan is not None and any(other.stuck for other in plan.elsewhere),
        )
        return RunResult(summary, code, plan, warnings)


def _passed(row: Any) -> list[str]:
    return [override["rail"] for override in row.overrides]
