"""The log event of an attempt."""

from __future__ import annotations

from typing import Any

import pytest

from retention.core.model import Claim, Kind, Outcome, Settlement, State
from retention.engine.events import attempt_event
from retention.ledger.results import SettledRow

CASES: dict[str, tuple[dict[str, Any], tuple[str, str]]] = {
    "a refusal that is asked about": (
        {"outcome": Outcome.REJECTED, "state": State.IN_DOUBT, "due_in": 0.0, "refusal_pending_probe": True},
        ("round.refused", "info"),
    ),
    "its question is turned away": (
        {"outcome": Outcome.THROTTLED, "state": State.IN_DOUBT, "due_in": 1.0, "refusal_pending_probe": True},
        ("round.refused", "info"),
    ),
    "a refusal that stands": ({"outcome": Outcome.IN_PROGRESS, "state": State.REJECTED}, ("round.rejected", "warning")),
    "a refusal after a doubt": (
        {
            "outcome": Outcome.REJECTED,
            "state": State.IN_DOUBT,
            "due_in": 0.0,
            "refusal_pending_probe": True,
            "may_have_taken_effect": True,
        },
        ("round.in_doubt", "info"),
    ),
    "a doubt that is asked about": (
        {"outcome": Outcome.IN_DOUBT, "state": State.IN_DOUBT, "due_in": 1.0, "may_have_taken_effect": True},
        ("round.in_doubt", "info"),
    ),
    "a doubt that stays": (
        {"outcome": Outcome.IN_DOUBT, "state": State.IN_DOUBT, "may_have_taken_effect": True},
        ("round.in_doubt", "warning"),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_only_a_doubt_is_told_as_one(case: str) -> None:
    """A plain refusal is no doubt while it is asked about, and is logged as rejected once it is settled."""
    changes, expected = CASES[case]
    claim = Claim(
        cancellation_id=1,
        run_id="run",
        uuid="uuid",
        kind=Kind.CANCEL,
        partner="acme",
        market="MT",
        game_id=None,
        user_id="U-1",
        round_id="R-1",
        attempts=1,
        probes=0,
        may_have_taken_effect=False,
        refusal_pending_probe=False,
        claimed_at=0.0,
        slot=0.0,
        send_by=0.0,
        lease_until=0.0,
    )
    item = Settlement(claim, sent_at=None, replied_at=None, **changes)
    assert expected == attempt_event(item, None, SettledRow(conflict=False, discrepant=False), with_user=False)[:2]
