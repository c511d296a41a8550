"""Plans runs: writes down which rounds a run is about, or why it has none."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from retention.core.text import time_text
from retention.errors import ViewError
from retention.ledger.plans import RunRequest
from retention.runs.model import Planned
from retention.runs.narrowing import CONFIGURED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from structlog.typing import FilteringBoundLogger

    from retention.core.planning.plan import Plan, Scope
    from retention.core.runs.stalled import Stalled
    from retention.engine.counters import ProcessCounters
    from retention.ledger.claims import PartnerTerms
    from retention.ledger.clocks import Correction
    from retention.ledger.plans import Plans
    from retention.ledger.stalled_runs import StalledRuns
    from retention.runs.model import RequestedBy
    from retention.settings.model import Policy


class Planning:
    """Makes the plans of runs. `scope` tells which rounds a policy looks at, at the most so many.

    `clock_limit` tells, by policy, how many seconds the database's clock may be apart from this process's.
    """

    def __init__(
        self,
        plans: Plans,
        stalls: StalledRuns,
        tally: ProcessCounters,
        log: FilteringBoundLogger,
        scope: Callable[[Policy, int | None], tuple[Scope, Sequence[PartnerTerms]]],
        clock_limit: Callable[[str], float],
    ) -> None:
        self._plans = plans
        self._stalls = stalls
        self._tally = tally
        self._log = log
        self._scope = scope
        self._clock_limit = clock_limit

    async def plan(
        self, policy: Policy, scope: Scope, terms: Sequence[PartnerTerms], order: RequestedBy, chosen: Mapping[str, Any]
    ) -> Planned | None:
        """Plan a run; see Runs.plan. `chosen`: what the configuration has, where a person chose otherwise."""
        # The partners of this moment are the run's for good, whatever is configured when it is resumed.
        policy = policy.model_copy(update={"partners": scope.partners})
        record = policy.as_record() | ({} if scope.limit is None else {"limit": scope.limit})
        record |= {CONFIGURED: dict(chosen)} if chosen else {}
        request = RunRequest(
            uuid.uuid4(),
            policy.name,
            policy.mode,
            order.requested_by,
            order.reason,
            record,
            order.scheduled_for,
            policy.max_rounds,
        )
        limit = self._clock_limit(policy.name)
        await self._plans.clock.require_time(limit)
        for correction in await self._plans.clock.correct_ledger_times(limit):
            self._correct(correction)
        tell_stalled(self._log, await self._stalls.mark_stalled_runs())
        try:
            plan = await self._plans.create_run(request, scope, terms, limit, self._correct)
        except ViewError as error:
            if order.scheduled_for is None:
                raise
            reason = str(error)
        else:
            if plan is None:
                return None
            tell_stalled(self._log, await self._stalls.end_interrupted_runs())
            elsewhere = await self._stalls.list_overlapping_runs(policy.name, scope, plan.as_of, request.run_id)
            plan = replace(plan, elsewhere=elsewhere)
            self._tell(request.run_id, policy, plan)
            return Planned(request.run_id, policy, plan)
        if await self._plans.record_failed_run(request, reason):
            self._log.error("run.failed", run_id=str(request.run_id), policy=policy.name, halt_reason=reason)
        return None

    async def complete(self, row: Any, policy: Policy, passed: Sequence[str], *, override: bool) -> Plan | None:
        """Write the plan of a run that was halted before it had one; None where it has one.

        `override`: however many rounds it has, as where max_rounds is among the rails that a person `passed` before.
        """
        if row.unwritten is None:
            return None
        max_rounds = None if override or "max_rounds" in passed else policy.max_rounds
        scope, terms = self._scope(policy, row.settings.get("limit"))
        plan = await self._plans.write_plan(
            row.run_id, scope, terms, max_rounds, self._clock_limit(policy.name), self._correct
        )
        if plan is not None:
            self._tell(row.run_id, policy, plan)
        return plan

    def _correct(self, correction: Correction) -> None:
        self._log.warning("clock.corrected", **correction.values())

    def _tell(self, run_id: uuid.UUID, policy: Policy, plan: Plan) -> None:
        self._tally.found(policy.name, ((group.market or "", group.rounds) for group in plan.groups))
        self._log.info(
            "run.planned",
            run_id=str(run_id),
            policy=policy.name,
            mode=policy.mode,
            rounds=plan.rounds,
            left_out=plan.left_out() or None,
        )
        for other in plan.elsewhere:
            self._log.warning(
                "run.rounds_elsewhere",
                run_id=str(run_id),
                policy=policy.name,
                other_run_id=str(other.run_id),
                rounds=other.rounds,
                detail=str(other),
            )


def tell_stalled(log: FilteringBoundLogger, found: Iterable[Stalled]) -> None:
    """Log the runs that have been found to make no progress."""
    for one in found:
        log.warning(
            "run.interrupted" if one.interrupted else "run.stalled",
            run_id=str(one.run_id),
            policy=one.policy,
            progressed_at=time_text(one.progressed_at),
        )
