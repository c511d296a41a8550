"""Reads a report from the ledger, as of one moment, and in constant memory.

A settlement carries the time at which its transaction began, and may commit after the period's end. So a report waits
for settlements that are being written. `pg_locks` shows every role the open writers. After half a minute the report is
refused: it is never made without them.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing, asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from retention.core.evidence.discrepancies import discrepancies_of
from retention.core.model import CANCELLED_STATES
from retention.core.text import time_text
from retention.errors import UsageError
from retention.ledger.evidence import checkpoint_of
from retention.reports.report import OUTCOMES, Report, ReportRound, Total

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator
    from datetime import datetime

    from retention.ledger.database import Database
    from retention.reports.report import Selection

_LOCK_DELAY = timedelta(seconds=2)
"""The longest time from a writer's begin to its locks."""

_WRITERS_TIMEOUT_S = 30.0
"""The longest wait for open writers."""

_POLL_INTERVAL_S = 0.05


@asynccontextmanager
async def read_report(database: Database, selection: Selection) -> AsyncIterator[Report]:
    """Open a report, and wait for writers of its period first. Raises UsageError where they take too long."""
    values = {
        "outcomes": [str(outcome) for outcome in (OUTCOMES if selection.all_outcomes else CANCELLED_STATES)],
        "start": selection.start,
        "end": selection.end,
        "market": selection.market,
        "policy": selection.policy,
        "run_id": selection.run_id,
    }
    if selection.end is not None:
        await _wait_for_writers(database, selection.end)
    async with database.transaction(snapshot=True) as transaction:
        generated_at = (await transaction.row("clocks/get_time")).now
        totals = tuple(_total(row) for row in await transaction.rows("reports/sum_report_totals", **values))
        newest = await transaction.row("evidence/get_newest_checkpoint")
        checkpoint = None if newest is None else checkpoint_of(newest)
        rows = transaction.stream("reports/list_report_rounds", **values)
        async with aclosing(rows), aclosing(_rounds(rows)) as rounds:
            yield Report(selection, generated_at, totals, rounds, checkpoint)


async def _wait_for_writers(database: Database, end: datetime) -> None:
    """Wait until every settlement with a time before `end` can be read; an `end` in the future needs no wait.

    A settlement that commits later would be in no report: it is too late for this period, and too early for the next.
    """
    now = (await database.row("clocks/get_time")).now
    if end > now:
        return
    await asyncio.sleep(max(0.0, (end + _LOCK_DELAY - now).total_seconds()))
    try:
        async with asyncio.timeout(_WRITERS_TIMEOUT_S):
            writers = await _writers(database)
            while writers:
                await asyncio.sleep(_POLL_INTERVAL_S)
                writers &= await _writers(database)
    except TimeoutError:
        raise UsageError(
            f"cancellations that may belong to the time before {time_text(end)} are still being written; make the"
            " report again in a minute"
        ) from None


async def _writers(database: Database) -> set[str]:
    return {row.writer for row in await database.rows("reports/list_writers")}


async def _rounds(rows: AsyncIterator[Any]) -> AsyncGenerator[ReportRound, None]:
    async for row in rows:
        yield _round(row)


def _total(row: Any) -> Total:
    return Total(
        market=row.market,
        outcome=row.outcome,
        currency=row.currency,
        count=row.rounds,
        amount=row.amount,
        stake=row.stake,
    )


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
    )
