"""The history of one round: its current state, its cancellations with their attempts, and its holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal
    from uuid import UUID

    from retention.core.evidence.archives import ArchivedMonth
    from retention.core.model import OpenRound
    from retention.core.planning.eligibility import Eligibility
    from retention.core.planning.holds import Hold


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request to the vendor, as the ledger records it."""

    uuid: UUID
    cancellation_id: int
    run_id: UUID
    kind: str
    replica: str
    claimed_at: datetime
    sent_at: datetime | None
    replied_at: datetime | None
    http_status: int | None
    error_code: str | None
    outcome: str | None
    detail: str | None


@dataclass(frozen=True, slots=True)
class Cancellation:
    """One run's cancellation of the round, with its attempts. Amounts are in currency units.

    The run sends its next request at `due_at`. A doubt without `due_at` waits for a later run. `last_activity_at`: as
    the operator's view had it for the plan. `winnings`: the newest that the vendor told.
    """

    id: int
    run_id: UUID
    policy: str
    trigger: str
    mode: str
    as_of: datetime
    requested_by: str
    reason: str | None
    evidence: str | None
    approved_by: str | None
    run_status: str
    halt_reason: str | None
    market: str
    game_id: str | None
    user_id: str
    opened_at: datetime
    stake: Decimal | None
    stake_currency: str | None
    bet_transaction_id: str | None
    state: str
    error_code: str | None
    description: str | None
    currency: str | None
    amount: Decimal | None
    transaction_id: str | None
    conflict: bool
    detail: str | None
    settled_at: datetime | None
    due_at: datetime | None
    taken_up_by: UUID | None
    resolved_from: str | None
    resolved_as: str | None
    resolved_by: str | None
    resolved_note: str | None
    resolved_at: datetime | None
    last_activity_at: datetime | None
    winnings: Decimal | None
    discrepancies: tuple[str, ...]
    attempts: tuple[Attempt, ...]


@dataclass(frozen=True, slots=True)
class RoundHistory:
    """Everything about one round, as of `as_of`. `seen`: the operator's view or the ledger has the round.

    `alike`: similar rounds of a round that is not `seen`, each as (partner, round id). `can_be_named`: `cancel` would
    cancel the round. `cancelled_in`: the archived month whose files tell how it was cancelled. `archived`: all archived
    months; they may have more of the round, and are not searched.
    """

    partner: str
    round_id: str
    as_of: datetime
    seen: bool
    open_round: OpenRound | None
    policies: tuple[Eligibility, ...]
    cancellations: tuple[Cancellation, ...]
    holds: tuple[Hold, ...]
    alike: tuple[tuple[str, str], ...] = ()
    can_be_named: bool = False
    cancelled_in: ArchivedMonth | None = None
    archived: tuple[ArchivedMonth, ...] = ()
