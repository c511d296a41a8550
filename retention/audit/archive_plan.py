"""Tells which months an archive takes out of the ledger, and which stay."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from retention.core.evidence.archives import BEFORE
from retention.core.text import second_text
from retention.ledger.month_archive import MonthArchive

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from retention.core.evidence.archives import Archive
    from retention.ledger.archives import PresentMonth
    from retention.ledger.database import Database
    from retention.ledger.month_archive import MonthCount


@dataclass(frozen=True, slots=True)
class MonthPlan:
    """The effect of an archive on a month. `why_not`: the reason for which it stays.

    `resumed`: it is recorded as archived, and an earlier process has left tables to drop.
    """

    month: str
    rounds: int = 0
    attempts: int = 0
    entries: int = 0
    kept: int = 0
    bytes: int = 0
    resumed: bool = False
    why_not: str | None = None


async def plan_month(
    database: Database, present: PresentMonth, archives: Sequence[Archive], before: datetime, limits: Mapping[str, int]
) -> MonthPlan | None:
    """Plan the archive of a month that ended before `before`; None where no row is left to leave."""
    month, size = present.month.month, sum(one.bytes for one in present.partitions.values())
    if left_tables(present, archives):
        return MonthPlan(month, bytes=size, resumed=True)
    work = MonthArchive(database, present, limits)
    count = await work.look()
    if not (count.rounds or count.attempts or count.entries) and (archives or month == BEFORE):
        return None
    return MonthPlan(
        month,
        count.rounds,
        count.attempts,
        count.entries,
        len(work.kept),
        size,
        why_not=await _why_not(work, month, count, before),
    )


async def _why_not(work: MonthArchive, month: str, count: MonthCount, before: datetime) -> str | None:
    runs = await work.unfinished_runs()
    if runs:
        return f"run {runs[0].run_id} is {runs[0].status}; resume it, or call it off with `retention runs close`"
    # Rows of 0.1.0 have no entries, and the time before the months has no end of its own.
    what, newest = ("rows", count.last_at) if month == BEFORE else ("entries", count.entries_at)
    if newest is not None and newest >= before:
        return f"it has {what} of {second_text(newest)}, which are not that old"
    return None


def left_tables(present: PresentMonth, archives: Sequence[Archive]) -> list[str]:
    """Name the tables of a month whose rows are all recorded as archived, and that are still there."""
    if not archives:
        return []
    roots = ["evidence"]
    if archives[-1].kept == 0 and present.month.month != BEFORE:
        roots += ["attempts", "cancellations"]
    return [root for root in roots if root in present.partitions]
