"""The values of a report: table, files and pages show the same ones."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from retention.core.model import RESOLUTIONS, State

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime
    from decimal import Decimal
    from uuid import UUID

    from retention.core.evidence.checkpoint import Checkpoint

OUTCOMES = (State.IN_DOUBT, *RESOLUTIONS)
"""All outcomes of a round. A resolved round has the outcome that it was resolved as."""


@dataclass(frozen=True, slots=True)
class Selection:
    """The cancellations of a report: they got their outcome at or after `start` and before `end`. None is no limit."""

    start: datetime | None = None
    end: datetime | None = None
    market: str | None = None
    policy: str | None = None
    run_id: UUID | None = None
    all_outcomes: bool = False


@dataclass(frozen=True, slots=True)
class ReportRound:
    """One round and its outcome. `amount` is the promised refund, `stake` the stake, both in currency units."""

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
    """The rounds of one market, outcome and currency: the refund's currency, else the stake's, else None.

    `amount` and `stake`: the sums of all refunds and stakes in that currency, also of rounds counted under another.
    """

    market: str
    outcome: str
    currency: str | None
    count: int
    amount: Decimal
    stake: Decimal


COLUMNS = tuple(field.name for field in fields(ReportRound))
"""The names of a round's values in the contract, in the contract's order."""


@dataclass(frozen=True, slots=True)
class Report:
    """An open report. Its rounds can be read once, one by one, and agree with its totals.

    `checkpoint`: the newest one at that moment; None before the first.
    """

    selection: Selection
    generated_at: datetime
    totals: tuple[Total, ...]
    rounds: AsyncIterator[ReportRound]
    checkpoint: Checkpoint | None = None
