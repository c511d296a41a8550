"""Checks a run's plan against the rails of its policy, some of which compare it with earlier runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retention.core.planning.rails import check_drift, check_plan

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from retention.core.planning.rails import PlanTotals, Tripped
    from retention.ledger.runs import RunLedger
    from retention.settings.policy import Policy


async def tripped_rails(
    ledger: RunLedger, policy: Policy, totals: PlanTotals, overridden: Sequence[str] = ()
) -> list[Tripped]:
    """List the rails that a plan trips, without the overridden ones."""
    return check_plan(totals, policy.limits, overridden, await recent_plan_sizes(ledger, policy))


async def recent_plan_sizes(ledger: RunLedger, policy: Policy) -> list[int]:
    """List the plan sizes that `max_surge` compares a plan with, in rounds; empty for a policy without that rail."""
    return [] if policy.max_surge is None else await ledger.list_recent_plan_sizes(policy.name)


async def tripped_drift(
    ledger: RunLedger, policy: Policy, run_id: UUID, overridden: Sequence[str] = ()
) -> list[Tripped]:
    """List the rail `max_drift` where too much of an approved run is gone before its first start. Raises ViewError."""
    if policy.max_drift is None:
        return []
    counts = await ledger.count_drift(run_id, policy.idle_longer_than)
    gone = {why: rounds for why, rounds in counts.items() if why is not None}
    drift = check_drift(gone, sum(counts.values()), policy.max_drift, overridden)
    return [] if drift is None else [drift]
