"""What a report tells: the values that the table, the files and the web pages show alike."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from retention.core.model import RESOLUTIONS, State

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime
    from decimal import Decimal
    from uuid import UUID

OUTCOMES = (State.IN_DOUBT, *RESOLUTIONS)
"""All that may have become of a round; a resolved one counts as what it was resolved as."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which cancellations a report is about: what became so from `start` on and before `end`; None is no limit."""

    start: datetime | None = None
    end: datetime | None = None
    market: str | None = None
    policy: str | None = None
    run_id: UUID | None = None
    all_outcomes: bool = False


@dataclass(frozen=True, slots=True)
class ReportRound:
    """One round and what became of it. Amounts in units of their currency, as promised and as staked."""

    partner: str
    market: str
    game_id: str | None
    user_id: str
    round_id: str
    opened_at: datetime
    outcome: str
    cancelled_at: datetime | None
    currency: str | None
    amount: Decimal | None
    stake_currency: str | None
    stake: Decimal | None
    transaction_id: str | None
    uuid: UUID | None
    run_id: UUID
    policy: str
    trigger: str
    requested_by: str
    reason: str | None
    evidence: str | None
    approved_by: str | None
    discrepancies: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Total:
    """The rounds of one market, outcome and currency: the refund's, else the stake's; None where neither is known.

    `amount` and `stake` are sums of what was promised and staked in that currency, by whichever rounds.
    """

    market: str
    outcome: str
    currency: str | None
    count: int
    amount: Decimal
    stake: Decimal


COLUMNS = tuple(field.name for field in fields(ReportRound))
"""The contract's names of a round's values, in its order."""


@dataclass(frozen=True, slots=True)
class Report:
    """A report that is being read: the totals are known, the rounds come one by one, once, and agree with them."""

    selection: Selection
    generated_at: datetime
    totals: tuple[Total, ...]
    rounds: AsyncIterator[ReportRound]
