"""The cancelled rounds: when, why, by whom, for how much. With `all_outcomes`, the rounds of every outcome."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from retention.core.evidence.discrepancies import discrepancies_of
from retention.core.model import CANCELLED_STATES
from retention.ledger.records import records
from retention.ledger.wallet import reading_wallet
from retention.reports.report import OUTCOMES

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping
    from datetime import datetime
    from decimal import Decimal
    from uuid import UUID

    from retention.reports.kinds.kind import Reading
    from retention.reports.report import Selection


@dataclass(frozen=True, slots=True)
class ReportRound:
    """One round and its outcome. Amounts are in currency units.

    `amount` is the promised refund. The wallet has given back `refund_seen` in the same currency, first at
    `refund_seen_at`; where no currency was promised, in the wallet's only one. A sum that has an amount without a value
    is None. The wallet does not tell plays of one round id apart, so a refund of an earlier play counts too. The vendor
    told `winnings` when it was asked.
    """

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
    last_activity_at: datetime | None = None
    winnings: Decimal | None = None
    refund_seen: Decimal | None = None
    refund_seen_at: datetime | None = None
    plan_digest: str | None = None


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


class CancelledRounds:
    """The kind `cancelled`."""

    row = ReportRound
    total = Total

    async def totals(self, reading: Reading) -> tuple[tuple[Total, ...], int]:
        """Read the totals, and the number of rounds."""
        rows = await reading.transaction.rows("reports/sum_report_totals", **selected(reading.selection))
        totals = tuple(records(Total, rows))
        return totals, sum(total.count for total in totals)

    async def rows(self, reading: Reading) -> AsyncGenerator[ReportRound, None]:
        """Read the rounds in the order of their outcomes."""
        # A statement cannot name a view that is not there.
        name = "reports/list_refunded_rounds" if reading.wallet else "reports/list_report_rounds"
        stream = reading.transaction.stream(name, **selected(reading.selection))
        async with aclosing(stream):
            with reading_wallet(wanted=reading.wallet):
                async for row in stream:
                    yield _round(row)


def selected(selection: Selection, *, all_outcomes: bool | None = None) -> Mapping[str, Any]:
    """Return the parameters of shared/report_selection.sql, and the one of shared/shown_user_id.sql.

    `all_outcomes` None: as selected.
    """
    every = selection.all_outcomes if all_outcomes is None else all_outcomes
    return {
        "outcomes": [str(outcome) for outcome in (OUTCOMES if every else CANCELLED_STATES)],
        "start": selection.start,
        "end": selection.end,
        **selection.filters(),
        "run_id": selection.run_id,
        "pseudonymise": selection.pseudonymise,
    }


def _round(row: Any) -> ReportRound:
    return ReportRound(
        partner=row.partner,
        market=row.market,
        game_id=row.game_id,
        user_id=row.user_id,
        round_id=row.round_id,
        opened_at=row.opened_at,
        outcome=row.outcome,
        cancelled_at=row.at if row.outcome in CANCELLED_STATES else None,
        currency=row.currency,
        amount=row.amount,
        stake_currency=row.stake_currency,
        stake=row.stake,
        transaction_id=row.transaction_id,
        uuid=row.cancel_uuid,
        run_id=row.run_id,
        policy=row.policy,
        trigger=row.trigger,
        requested_by=row.requested_by,
        reason=row.reason,
        evidence=row.evidence,
        approved_by=row.approved_by,
        discrepancies=discrepancies_of(row),
        last_activity_at=row.last_activity_at,
        winnings=row.winnings,
        refund_seen=row.refund_seen,
        refund_seen_at=row.refund_seen_at,
        plan_digest=row.plan_digest,
    )
