"""The last check before a request's bytes leave, after every queue. Times in seconds on the monotonic clock."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from retention.core.model import Claim
    from retention.core.sending.pacing import LateBudget


class SendCheck(enum.Enum):
    """The next step of a claim when its slot has come."""

    SEND = "sent"
    RETURN = "returned"
    NEW_SLOT = "kept for another slot"


def check_send(claim: Claim, now: float, *, allowed: bool, connected: bool, budget: LateBudget) -> SendCheck:
    """Decide whether a request may leave at `now`.

    `allowed`: no drain, pause, halt or outage of the partner is known. `connected`: a connection is at hand. After
    `send_by` the look at the operator's view is too old: the claim is returned, and its round is claimed again. A
    missed slot is lost, unless `budget` has room for it.
    """
    if not allowed or not connected or now >= claim.send_by:
        return SendCheck.RETURN
    return SendCheck.SEND if budget.allows(claim.slot, now) else SendCheck.NEW_SLOT
