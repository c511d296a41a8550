"""Checks a run's plan against the rails of its policy, some of which compare it with earlier runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retention.core.planning.rails import check_plan

if TYPE_CHECKING:
    from collections.abc import Sequence

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
