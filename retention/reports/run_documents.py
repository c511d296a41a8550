"""What `plan` and `run` tell: one document, printed as JSON or as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from retention.core.planning.plan import eta_seconds
from retention.core.planning.rails import check_plan
from retention.core.runs.next_steps import next_steps

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from retention.core.planning.plan import Plan
    from retention.ledger.pauses import Pause
    from retention.runs.model import RunResult
    from retention.settings.model import Policy


def plan_document(
    policy: Policy,
    plan: Plan,
    rates: Mapping[str, float],
    by_vendors: Mapping[str, datetime] | None = None,
    by_people: Sequence[Pause] = (),
) -> dict[str, Any]:
    """A plan's figures, and the pauses in its way; `rates` in requests per second, `by_vendors` by partner."""
    figures = plan.figures()
    return {
        "policy": policy.name,
        "mode": policy.mode,
        "as_of": plan.as_of,
        "rounds": plan.rounds,
        "stakes": dict(sorted(figures.stakes.items())),
        "oldest": plan.oldest,
        "eta_seconds": round(eta_seconds(plan.by_partner(), dict(rates)), 1),
        "groups": [
            {
                "partner": group.partner,
                "market": group.market,
                "game_id": group.game_id,
                "currency": group.currency,
                "rounds": group.rounds,
                "stake": group.stake,
                "oldest": group.oldest,
            }
            for group in sorted(plan.eligible, key=lambda one: (one.partner or "", one.market or "", one.game_id or ""))
        ],
        "left_out": plan.left_out(),
        "elsewhere": _elsewhere(plan),
        "doubled": [doubled._asdict() for doubled in plan.doubled],
        "pauses": [
            {
                "partner": pause.partner,
                "reason": pause.reason,
                "paused_by": pause.paused_by,
                "paused_at": pause.paused_at,
            }
            for pause in by_people
        ],
        "vendor_pauses": pauses_document(by_vendors or {}),
        "rails": [{"rail": rail.rail, "words": rail.words} for rail in check_plan(figures, policy.limits)],
        "unlimited": plan.unlimited(policy.max_amount),
    }


def pauses_document(pauses: Mapping[str, datetime]) -> list[dict[str, Any]]:
    """Which partners' vendors asked to be left alone, and until when."""
    return [{"partner": partner, "until": until} for partner, until in pauses.items()]


def _elsewhere(plan: Plan) -> list[dict[str, Any]]:
    """The other runs that have rounds of the plan's scope in hand, or have stalled."""
    return [other._asdict() | {"run_id": str(other.run_id), "words": str(other)} for other in plan.elsewhere]


def run_document(finished: RunResult) -> dict[str, Any]:
    """What a run came to."""
    summary = finished.summary
    return {
        "run_id": str(summary.run_id),
        "policy": summary.policy,
        "mode": summary.mode,
        "status": summary.status,
        "halt_reason": summary.halt_reason,
        "exit_code": int(finished.exit),
        "rounds": summary.rounds,
        "left_out": finished.plan.left_out() if finished.plan else {},
        "elsewhere": _elsewhere(finished.plan) if finished.plan else [],
        "states": {state.value: count for state, count in sorted(summary.states.items())},
        "taken_up": {state.value: count for state, count in sorted(summary.taken_up.items())},
        "refunds": dict(sorted(summary.refunds.items())),
        "conflicts": summary.conflicts,
        "discrepancies": summary.discrepancies,
        "incomplete": summary.incomplete,
        "to_review": summary.to_review,
        "unsent": dict(summary.unsent),
        "warnings": list(finished.warnings),
        "next": [step._asdict() for step in next_steps(summary)],
    }
