"""Requests of runs, as a person, a schedule or a list of named rounds makes them, and their rows in the ledger."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg.types.json import Jsonb

from retention.core.planning.named_rounds import TARGETED
from retention.core.text import decimal_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from uuid import UUID

    from retention.core.planning.rails import PlanTotals


@dataclass(frozen=True, slots=True)
class RunRequest:
    """A run that a person or a schedule asks for. `settings` is the present policy, without secrets.

    `scheduled_for` is the scheduled time of the run; None if a person asks. A plan of more than `max_rounds` rounds is
    not written; None sets no limit. `evidence`: of a targeted run, why a person may name its rounds.
    """

    run_id: UUID
    policy: str
    mode: str
    requested_by: str
    reason: str | None
    settings: Mapping[str, Any]
    scheduled_for: datetime | None = None
    max_rounds: int | None = None
    evidence: str | None = None

    @property
    def trigger(self) -> str:
        """What the run comes from, as the ledger names it."""
        if self.scheduled_for is not None:
            return "schedule"
        return "on_demand" if self.evidence is None else TARGETED


def totals_record(totals: PlanTotals) -> dict[str, Any]:
    """The totals of a plan that is not written, as the ledger keeps them."""
    stakes = {currency: decimal_text(stake) for currency, stake in totals.stakes.items()}
    return {"rounds": totals.rounds, "stakes": stakes, "unjudged": totals.unjudged}


def run_values(
    request: RunRequest, as_of: datetime, status: str, halt_reason: str | None = None, totals: PlanTotals | None = None
) -> dict[str, Any]:
    """The parameters of insert_run.sql; `totals` of a plan that is not written."""
    return {
        "run_id": request.run_id,
        "policy": request.policy,
        "trigger": request.trigger,
        "mode": request.mode,
        "scheduled_for": request.scheduled_for,
        "as_of": as_of,
        "requested_by": request.requested_by,
        "reason": request.reason,
        "evidence": request.evidence,
        "settings": Jsonb(dict(request.settings)),
        "status": status,
        "halt_reason": halt_reason,
        "unwritten_plan": None if totals is None else Jsonb(totals_record(totals)),
    }
