"""Reads a report from the ledger, as of one moment and in flat memory, however long it is."""

from __future__ import annotations

from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, Any

from retention.core.discrepancies import Money, discrepancies
from retention.core.model import State
from retention.report.model import CANCELLED, OUTCOMES, Report, ReportRound, Total

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from retention.ledger.database import Database
    from retention.report.model import Selection


@asynccontextmanager
async def read_report(database: Database, selection: Selection) -> AsyncIterator[Report]:
    """Open a report. Its rounds can be read while it is open, and are those that its totals count."""
    values = {
        "outcomes": [str(outcome) for outcome in (OUTCOMES if selection.all_outcomes else CANCELLED)],
        "start": selection.start,
        "end": selection.end,
        "market": selection.market,
        "policy": selection.policy,
        "run_id": selection.run_id,
    }
    async with database.transaction(snapshot=True) as transaction:
        generated_at = (await transaction.row("now")).now
        totals = tuple(Total(*row) for row in await transaction.rows("report_totals", **values))
        rows = transaction.stream("report_rounds", **values)
        async with aclosing(rows), aclosing(_rounds(rows)) as rounds:
            yield Report(selection, generated_at, totals, rounds)


async def _rounds(rows: AsyncIterator[Any]) -> AsyncGenerator[ReportRound, None]:
    async for row in rows:
        yield _round(row)


def _round(row: Any) -> ReportRound:
    return ReportRound(
        partner=row.partner,
        market=row.market,
        game_id=row.game_id,
        user_id=row.user_id,
        round_id=row.round_id,
        opened_at=row.opened_at,
        outcome=row.outcome,
        cancelled_at=row.settled_at if row.outcome in CANCELLED else None,
        currency=row.currency,
        amount=row.amount,
        stake_currency=row.stake_currency,
        stake=row.stake,
        transaction_id=row.transaction_id,
        uuid=row.attempt_uuid,
        run_id=row.run_id,
        policy=row.policy,
        trigger=row.trigger,
        requested_by=row.requested_by,
        reason=row.reason,
        evidence=row.evidence,
        approved_by=row.approved_by,
        discrepancies=discrepancies(
            Money(row.amount, row.currency, row.transaction_id),
            Money(row.stake, row.stake_currency, row.bet_transaction_id),
            incomplete=row.incomplete and row.state == State.CANCELLED,
            conflict=row.conflict,
            detail=row.detail,
        ),
    )
