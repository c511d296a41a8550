"""Decides at the head of the queue whether a claim's request may leave. Pure; times in seconds on a monotonic clock.

The decision stands behind every queue: a connection is in hand, and nothing is awaited between it and the write. At
the write, `vendor_api/client.py` looks once more at the time and the connection, and at nothing else. The look at the
operator's view is at most 0.85 s old then, at any rate, latency and concurrency. Claims are made only for connections
in hand and for places that are free soon. Slots are granted within 0.6 s, and a claim that cannot leave is released.
"""

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
