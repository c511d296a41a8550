"""The last look before a request's bytes leave, behind every queue: pure, over a monotonic clock in seconds."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from retention.core.model import Claim
    from retention.core.sending.pacing import LateBudget


class SendCheck(enum.Enum):
    """What becomes of a claim whose turn has come."""

    SEND = "sent"
    RETURN = "handed back"
    NEW_SLOT = "kept for another slot"


def check_send(claim: Claim, now: float, *, allowed: bool, connected: bool, budget: LateBudget) -> SendCheck:
    """Decide whether a request may leave at `now`.

    `allowed`: neither a stop nor a pause, a halt or an outage of its partner is known of. `connected`: a connection is
    in hand. A look at the operator's view that is not young any more is worth nothing: the claim is handed back, and
    its round looked up anew. A slot that was missed is lost, unless `budget` has room for it.
    """
    if not allowed or not connected or now >= claim.send_by:
        return SendCheck.RETURN
    return SendCheck.SEND if budget.allows(claim.slot, now) else SendCheck.NEW_SLOT
