"""The months of the ledger: partitions that are made ahead, so that a month can later be archived whole.

A month whose partition is missing loses nothing: its rows get the ids of the month before, and stand in its partition.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg

from retention.ledger.checks.finding import Finding
from retention.ledger.database_errors import UNAVAILABLE, BusyError, first_line

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

    from retention.ledger.database import Database


async def begin_month(database: Database, log: FilteringBoundLogger) -> None:
    """Begin this month where that is still to be done. Whatever the server has against it only defers it."""
    try:
        made = await begin_present_month(database.control())
    except BusyError:
        log.warning("ledger.month_deferred", detail="another session locks the ledger; the next plan tries again")
        return
    except UNAVAILABLE:
        raise
    except psycopg.Error as error:  # such as a table of that name that a person has made
        log.warning("ledger.month_deferred", detail=f"{first_line(error)}; the next plan tries again")
        return
    if made:
        log.info("ledger.month_made", partitions=made)


async def begin_present_month(database: Database) -> list[str]:
    """See to it that new rows are of the present month; returns the new partitions. Raises BusyError."""
    made: list[str] = []
    # Ids move only into a partition that is committed, so the call that makes one is followed by another.
    while rows := await database.rows("months/begin_month"):
        made += [row.partition for row in rows]
    return made


async def check_months(database: Database) -> Finding:
    """Warn if this month or the next one lacks a partition."""
    row = await database.row("months/list_missing_months")
    if row.missing:
        message = (
            f"{', '.join(row.missing)}: missing as a partition; rows of that month stand in the month before, and"
            " replies wait where it has begun. The next plan makes it, `retention run --dry-run` for one, unless the"
            " server is against it: `ledger.month_deferred` in the log says why"
        )
        return Finding("months", ok=True, message=message, warning=True)
    return Finding("months", ok=True, message=f"the ledger's partitions are made until {row.last_made}")
