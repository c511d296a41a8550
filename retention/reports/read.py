"""Reads a report from the ledger, as of one moment, and in constant memory.

A settlement carries the time at which its transaction began, and may commit after the period's end. So a report waits
for settlements that are being written. `pg_locks` shows every role the open writers. After half a minute the report is
refused: it is never made without them.
"""

from __future__ import annotations

import asyncio
import functools
from contextlib import aclosing, asynccontextmanager
from datetime import timedelta
from importlib.metadata import version
from typing import TYPE_CHECKING
from uuid import uuid4

from retention.core.evidence.archives import of_period
from retention.core.text import time_text
from retention.errors import UsageError
from retention.ledger.archives import archives_of
from retention.ledger.evidence import checkpoint_of
from retention.ledger.own_values import reading_own_values
from retention.ledger.wallet import has_wallet
from retention.reports.kinds.filters import require_filters
from retention.reports.kinds.kind import Reading
from retention.reports.kinds.registry import KINDS, WALLET_KINDS
from retention.reports.report import Configured, Kind, Report, ReportHead, columns_of
from retention.reports.sections import read_sections

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime
    from uuid import UUID

    from retention.ledger.database import Database
    from retention.reports.report import Selection

_LOCK_DELAY = timedelta(seconds=2)
"""The longest time from a writer's begin to its locks."""

_WRITERS_TIMEOUT_S = 30.0
"""The longest wait for open writers."""

_POLL_INTERVAL_S = 0.05

NOTHING_CONFIGURED = Configured()
"""For reports of the ledger alone."""


@asynccontextmanager
async def read_report(
    database: Database,
    selection: Selection,
    *,
    generated_by: str = "",
    report_id: UUID | None = None,
    configured: Configured = NOTHING_CONFIGURED,
    sections: bool = False,
) -> AsyncIterator[Report]:
    """Open a report, and wait for writers of its period first. Raises UsageError where they take too long.

    It also raises UsageError for a filter that the kind refuses, and SchemaError where a view of the wallet is broken
    or a value of the ledger was altered.

    `generated_by` is who asks for it. A report that is made again keeps its `report_id`; None is a new one.
    `sections`: whether to read those of a page.
    """
    require_filters(selection.kind, run=selection.run_id is not None, all_outcomes=selection.all_outcomes)
    kind = KINDS[selection.kind]
    if selection.end is not None:
        await _wait_for_writers(database, selection.end)
    async with database.transaction(snapshot=True) as transaction:
        with reading_own_values():
            now = (await transaction.row("clocks/get_time")).now
            newest = await transaction.row("evidence/get_newest_checkpoint")
            head = ReportHead(
                report_id=report_id or uuid4(),
                selection=selection,
                generated_at=now,
                generated_by=generated_by,
                checkpoint=None if newest is None else checkpoint_of(newest),
                software=software(),
                archived=of_period(
                    archives_of(await transaction.rows("archives/list_archives")),
                    selection.start,
                    selection.end,
                    run_id=selection.run_id,
                    opened=selection.kind is Kind.PENDING,
                ),
            )
            wallet = selection.kind in WALLET_KINDS and await has_wallet(transaction)
            reading = Reading(transaction, selection, now, configured, wallet)
            totals, count = await kind.totals(reading)
            shown = await read_sections(reading, totals) if sections else None
            async with aclosing(kind.rows(reading)) as rows:
                yield Report(head, columns_of(kind.row), rows, count, columns_of(kind.total), totals, shown)


@functools.cache
def software() -> str:
    """Return the name and version of this program."""
    return f"retention {version('retention')}"


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
