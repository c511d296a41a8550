"""Why a run halted or failed. The ledger keeps a text, `halt_reason`, that begins with the cause: "max_rounds: ..."."""

from __future__ import annotations

import enum

from retention.core.model import VIEW


class HaltCause(enum.StrEnum):
    """The causes that decide about the next steps of a run. The first seven are rails of a policy."""

    MAX_ROUNDS = "max_rounds"
    MAX_AMOUNT = "max_amount"
    MAX_AMOUNT_UNKNOWN = "max_amount_unknown"
    MAX_SURGE = "max_surge"
    MAX_DRIFT = "max_drift"
    MAX_FAILURE_RATIO = "max_failure_ratio"
    MAX_CONFLICTS = "max_conflicts"
    STRICTER = "stricter"
    UNAUTHORIZED = "unauthorized"
    CLOSE_ROUNDS = "close_rounds"
    DATABASE = "database"
    VIEW = VIEW
    INTERRUPTED = "interrupted"
    MISSED = "missed"
    APPROVAL_EXPIRED = "approval_expired"

    def reason(self, detail: str) -> str:
        """Write the `halt_reason` of this cause."""
        return f"{self.value}: {detail}"


PLAN_RAILS = frozenset(
    {
        HaltCause.MAX_ROUNDS,
        HaltCause.MAX_AMOUNT,
        HaltCause.MAX_AMOUNT_UNKNOWN,
        HaltCause.MAX_SURGE,
        HaltCause.MAX_DRIFT,
    }
)
"""Rails over a plan: without an override they halt the run again."""

REPLY_RAILS = frozenset({HaltCause.MAX_FAILURE_RATIO, HaltCause.MAX_CONFLICTS})
"""Rails over the replies and closings of a run: they halt it while it sends."""

_CAUSES = {cause.value: cause for cause in HaltCause}


def cause_of(halt_reason: str | None) -> HaltCause | None:
    """Parse the cause at the beginning of a `halt_reason`; None for any other text, such as a person's words."""
    if halt_reason is None:
        return None
    return HaltCause.VIEW if halt_reason.startswith(VIEW) else _CAUSES.get(halt_reason.partition(":")[0])
