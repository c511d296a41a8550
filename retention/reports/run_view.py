"""Documents of plans and runs: the same values for JSON, for the terminal and for pages.

`plan` shows `plan_document`, `run` shows `result_document`, and `runs show` shows `record_document`.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from retention.core.planning.eta import eta_s
from retention.core.planning.rails import check_plan, measure_surge
from retention.core.runs.next_steps import next_steps
from retention.exit_codes import ExitCode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from retention.core.evidence.checkpoint import Checkpoint
    from retention.core.model import State
    from retention.core.planning.eta import Pace
    from retention.core.planning.plan import Plan
    from retention.core.runs.summary import Summary
    from retention.ledger.pauses import Pause
    from retention.ledger.run_record import RunRecord
    from retention.runs.model import RunResult
    from retention.settings.policy import Policy


def plan_document(
    policy: Policy,
    plan: Plan,
    paces: Mapping[str, Pace],
    vendor_pauses: Mapping[str, datetime] | None = None,
    pauses: Sequence[Pause] = (),
    recent: Sequence[int] = (),
) -> dict[str, Any]:
    """Describe a plan, its totals and the pauses that would delay its run.

    `paces`: the limits of each partner. `vendor_pauses`: the end of each partner's vendor pause. `pauses`: the
    pauses that people set. `recent`: planned rounds of earlier runs, as `measure_surge` takes them. Stakes are in
    currency units, `eta_seconds` in seconds.
    """
    totals = plan.totals()
    return {
        "policy": policy.name,
        "mode": policy.mode,
        "as_of": plan.as_of,
        "view": plan.source and plan.source.document() | {"words": str(plan.source)},
        "rounds": plan.rounds,
        "stakes": dict(sorted(totals.stakes.items())),
        "oldest": plan.oldest,
        "eta_seconds": round(eta_s(plan.by_partner(), paces), 1),
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
        "elsewhere": _other_runs(plan),
        "doubled": [doubled._asdict() for doubled in plan.doubled],
        "pauses": [
            {
                "partner": pause.partner,
                "reason": pause.reason,
                "paused_by": pause.paused_by,
                "paused_at": pause.paused_at,
            }
            for pause in pauses
        ],
        "vendor_pauses": _vendor_pauses(vendor_pauses or {}),
        "rails": [
            {"rail": rail.rail.value, "words": rail.detail} for rail in check_plan(totals, policy.limits, recent=recent)
        ],
        "surge": _surge(policy, plan.rounds, recent),
        "unlimited": plan.currencies_without_limit(policy.max_amount),
    }


def result_document(result: RunResult) -> dict[str, Any]:
    """Describe the result of a run: its counts, its exit code, warnings and the next steps."""
    summary, plan = result.summary, result.plan
    counts = _counts(summary)
    return {
        "run_id": str(summary.run_id),
        "policy": summary.policy,
        "trigger": summary.trigger,
        "mode": summary.mode,
        "status": summary.status,
        "halt_reason": summary.halt_reason,
        "exit_code": int(result.exit),
        "rounds": counts["rounds"],
        "left_out": plan.left_out() if plan else {},
        "elsewhere": _other_runs(plan) if plan else [],
        "refused": _refused(plan) if plan else [],
        **counts,
        "to_review": summary.to_review,
        "unsent": dict(summary.unsent),
        "checkpoint": result.checkpoint and result.checkpoint.document(),
        "warnings": list(result.warnings),
        "next": [step._asdict() for step in next_steps(summary)],
    }


def refused_document(plan: Plan) -> dict[str, Any]:
    """Describe a targeted plan in which every round is refused: there is no run."""
    return {
        "run_id": None,
        "exit_code": int(ExitCode.USAGE),
        "rounds": 0,
        "refused": _refused(plan),
    }


def record_document(
    record: RunRecord,
    summary: Summary,
    vendor_pauses: Mapping[str, datetime] | None = None,
    checkpoint: Checkpoint | None = None,
) -> dict[str, Any]:
    """Describe a recorded run: its record in the ledger, its counts, and the vendor pauses that delay it.

    `checkpoint`: the newest one of the ledger.
    """
    document = {**asdict(record), **_counts(summary), "checkpoint": checkpoint and checkpoint.document()}
    return document if vendor_pauses is None else document | {"vendor_pauses": _vendor_pauses(vendor_pauses)}


def _surge(policy: Policy, planned: int, recent: Sequence[int]) -> dict[str, Any] | None:
    """Describe the usual size of the policy's plans; None without `max_surge`. `usual` None: no run has finished."""
    if policy.max_surge is None:
        return None
    surge = measure_surge(planned, policy.limits, recent)
    figures = {"runs": 0, "usual": None, "allowed": None} if surge is None else asdict(surge)
    return {"max_surge": policy.max_surge} | {name: figures[name] for name in ("runs", "usual", "allowed")}


def _counts(summary: Summary) -> dict[str, Any]:
    return {
        "rounds": summary.rounds,
        "states": _by_state(summary.states),
        "taken_up": _by_state(summary.taken_up),
        "conflicts": summary.conflicts,
        "incomplete": summary.incomplete,
        "discrepancies": summary.discrepancies,
        "review": {why.value: count for why, count in sorted(summary.review.items())},
        "refunds": dict(sorted(summary.refunds.items())),
    }


def _by_state(counts: Mapping[State, int]) -> dict[str, int]:
    return {state.value: count for state, count in sorted(counts.items())}


def _other_runs(plan: Plan) -> list[dict[str, Any]]:
    """Describe the other runs that hold rounds of the plan's scope, or have stalled."""
    return [other._asdict() | {"run_id": str(other.run_id), "words": str(other)} for other in plan.elsewhere]


def _refused(plan: Plan) -> list[dict[str, Any]]:
    """Describe the named rounds that are not called, each with its reason."""
    return [
        {
            "partner": one.partner,
            "round_id": one.round_id,
            "why": str(one.why),
            "run_id": None if one.run_id is None else str(one.run_id),
            "words": str(one),
        }
        for one in plan.refused
    ]


def _vendor_pauses(pauses: Mapping[str, datetime]) -> list[dict[str, Any]]:
    return [{"partner": partner, "until": until} for partner, until in pauses.items()]
