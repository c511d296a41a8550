"""Send slots: the parameters of sql/queries/shared/slot_reservation.sql, and what a vendor's throttle changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from retention.core.model import Kind
from retention.core.sending.pacing import (
    EXCESS_S,
    GROUP_REGROWTH_S,
    RATE_RECOVERY_PER_S,
    SPACING,
    THROTTLED_TOGETHER_S,
    TOLERANCE,
    WANTS_S,
)

if TYPE_CHECKING:
    from retention.ledger.database import Database
    from retention.ledger.terms import PartnerTerms


def slot_parameters(terms: PartnerTerms, kind: Kind, *, horizon: float, head_start: float) -> dict[str, Any]:
    """Return the parameters for slots of one kind; `horizon` and `head_start` in seconds from the statement's time."""
    group = terms.group
    return {
        "partner": terms.partner,
        "kind": kind.value,
        "rate": terms.rate_of(kind),
        "rate_group": group and group.name,
        "group_rate": group and group.rate,
        "spacing": SPACING,
        "tolerance": TOLERANCE,
        "recovery": RATE_RECOVERY_PER_S,
        "regrowth": GROUP_REGROWTH_S,
        "excess": EXCESS_S,
        "wants_for": WANTS_S,
        "horizon": horizon,
        "head_start": head_start,
    }


async def throttle_partner(database: Database, terms: PartnerTerms, pause: float) -> float | None:
    """Stop the calls of every replica to the partner for `pause` seconds, and halve its rates.

    Returns the new rate of its group, where that is halved too.
    """
    row = await database.row(
        "run_control/throttle_partner",
        partner=terms.partner,
        pause=pause,
        rate=terms.rate,
        question_rate=terms.rate_of(Kind.STATUS),
        rate_group=terms.group and terms.group.name,
        group_rate=terms.group and terms.group.rate,
        together=THROTTLED_TOGETHER_S,
    )
    return None if row is None else float(row.rate)
