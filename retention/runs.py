"""A run from beginning to end: plan, rails, engine, summary."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from retention.core.rails import Limits, check_plan
from retention.core.summary import Exit, exit_code
from retention.errors import UsageError
from retention.ledger.runs import RunRequest
from retention.settings.model import Policy

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from uuid import UUID

    from structlog.typing import FilteringBoundLogger

    from retention.core.plan import Plan, Scope
    from retention.core.summary import Summary
    from retention.engine.engine import Ending
    from retention.ledger.controls import Controls
    from retention.ledger.runs import RunLedger
    from retention.ledger.work import LaneTerms


@dataclass(frozen=True, slots=True)
class Finished:
    """What became of a run, and the exit code that tells it."""

    summary: Summary
    exit: Exit
    plan: Plan | None = None
    warnings: tuple[str, ...] = ()


class Work(Protocol):
    """Sends and settles a run's plan: the engine, put together for it."""

    async def __call__(self, run_id: UUID, policy: Policy, passed: Sequence[str]) -> Ending:
        """Work on the run until it is over for this process."""


class Runs:
    """Makes runs. `signalled` tells the exit code of the signal that stopped this process, if one did."""

    def __init__(
        self,
        ledger: RunLedger,
        controls: Controls,
        work: Work,
        log: FilteringBoundLogger,
        signalled: Callable[[], int | None],
    ) -> None:
        self._ledger = ledger
        self._controls = controls
        self._work = work
        self._log = log
        self._signalled = signalled

    async def run(
        self,
        policy: Policy,
        scope: Scope,
        terms: Sequence[LaneTerms],
        *,
        requested_by: str,
        reason: str | None,
        confirm: Callable[[Plan], Awaitable[bool]],
    ) -> Finished:
        """Plan a run of the policy and carry it out, within its rails.

        `confirm` may still call it off once the plan is known; the run is halted then, and can be resumed.
        """
        # The partners of this moment are the run's for good, whatever is configured when it is resumed.
        policy = policy.model_copy(update={"partners": scope.partners})
        record = policy.as_record() | ({} if scope.limit is None else {"limit": scope.limit})
        request = RunRequest(uuid.uuid4(), policy.name, "on_demand", policy.mode, requested_by, reason, record)
        plan = await self._ledger.create(request, scope, terms)
        log = self._log.bind(run_id=str(request.run_id), policy=policy.name)
        log.info("run.planned", mode=policy.mode, rounds=plan.rounds, left_out=plan.left_out() or None)
        tripped = check_plan(plan.figures(), _limits(policy))
        if policy.mode == "dry_run":
            warnings = tuple(f"an enforcing run would halt: {rail}" for rail in tripped)
            return self._tell(log, await self._finished(request.run_id, plan=plan, warnings=warnings))
        stop = "; ".join(map(str, tripped)) or await self._controls.paused(scope.partners)
        if not stop and not await self._confirmed(request.run_id, plan, confirm):
            stop = "not confirmed"
        if stop:
            return await self._halt(request.run_id, stop, log, plan)
        return await self._carry_out(request.run_id, policy, (), log, plan)

    async def resume(self, run_id: UUID, *, override: str | None, by: str) -> Finished:
        """Go on with a halted or interrupted run, or help with one that is going. A finished one is only told of."""
        row = await self._ledger.get(run_id)
        if row is None:
            raise UsageError(f"there is no run {run_id}; `retention runs list` shows the newest")
        policy = Policy.model_validate({key: value for key, value in row.settings.items() if key != "limit"})
        log = self._log.bind(run_id=str(run_id), policy=policy.name)
        if row.status in {"finished", "cancelled"}:
            if override:
                raise UsageError(f"run {run_id} is {row.status}: there is no rail to pass")
            return await self._finished(run_id)
        tripped = check_plan(await self._ledger.figures(run_id), _limits(policy), _passed(row))
        if override:
            rails = [rail.rail for rail in tripped]
            if (row.halt_reason or "").startswith("max_failure_ratio:"):
                rails.append("max_failure_ratio")
            if not rails:
                raise UsageError(
                    f"run {run_id} is not halted by a rail ({row.halt_reason or row.status}); resume it as it is"
                )
            for rail in rails:
                await self._ledger.override(run_id, rail, override, by)
                log.warning("run.overridden", rail=rail, requested_by=by, reason=override)
            row, tripped = await self._ledger.get(run_id), []
        stop = "; ".join(map(str, tripped)) or await self._controls.paused(policy.partners or ())
        if stop:
            return await self._halt(run_id, stop, log, None)
        return await self._carry_out(run_id, policy, _passed(row), log, None)

    async def _confirmed(self, run_id: UUID, plan: Plan, confirm: Callable[[Plan], Awaitable[bool]]) -> bool:
        try:
            return await confirm(plan)
        except asyncio.CancelledError:
            await self._ledger.halt(run_id, "interrupted before it was confirmed")  # the next run may have its rounds
            raise

    async def _carry_out(
        self,
        run_id: UUID,
        policy: Policy,
        passed: Sequence[str],
        log: FilteringBoundLogger,
        plan: Plan | None,
    ) -> Finished:
        deadline = policy.deadline.total_seconds() if policy.deadline else None
        if not await self._ledger.start(run_id, deadline):
            return await self._finished(run_id, plan=plan)
        log.info("run.started", mode=policy.mode)
        ending = await self._work(run_id, policy, passed)
        ended = await self._finished(run_id, plan=plan, unreachable=bool(ending.lost), stopped=ending.stopped)
        return self._tell(log, ended)

    def _tell(self, log: FilteringBoundLogger, finished: Finished) -> Finished:
        summary = finished.summary
        log.info(
            {"halted": "run.halted", "running": "run.left"}.get(summary.status, "run.finished"),
            status=summary.status,
            exit_code=int(finished.exit),
            halt_reason=summary.halt_reason,
            rounds=summary.rounds,
            states={state.value: count for state, count in summary.states.items()},
        )
        return finished

    async def _halt(self, run_id: UUID, reason: str, log: FilteringBoundLogger, plan: Plan | None) -> Finished:
        await self._ledger.halt(run_id, reason)
        log.warning("run.halted", halt_reason=reason)
        return await self._finished(run_id, plan=plan)

    async def _finished(
        self,
        run_id: UUID,
        *,
        plan: Plan | None = None,
        warnings: tuple[str, ...] = (),
        unreachable: bool = False,
        stopped: bool = False,
    ) -> Finished:
        summary = await self._ledger.summary(run_id)
        code = exit_code(summary, stopped_by=self._signalled() if stopped else None, unreachable=unreachable)
        return Finished(summary, code, plan, warnings)


def _limits(policy: Policy) -> Limits:
    return Limits(policy.max_rounds, policy.max_amount)


def _passed(row: object) -> list[str]:
    return [override["rail"] for override in getattr(row, "overrides", [])]
