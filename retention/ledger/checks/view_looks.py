"""The looks of `check` at the operator's view, on the replica of `read_dsn` as plans read it, else on the primary."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg

from retention.core.planning.view_source import ViewSource
from retention.errors import RetentionError
from retention.ledger.checks.finding import Finding
from retention.ledger.database import open_database
from retention.ledger.database_errors import UNAVAILABLE, first_line

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from retention.ledger.database import Database
    from retention.ledger.read_replica import PlanViews

    Look = Callable[[Database], Awaitable[list[Finding]]]

REPLICA = "replica"


async def look_on_replica(database: Database, views: PlanViews, look: Look) -> list[Finding]:
    """Look at the view where plans read it. Without a replica of use, look on the primary, and warn.

    No run fails for lack of a replica, so no finding about it makes `check` fail.
    """
    if views.dsn is None:
        return await look(database)
    source = await views.probe(database)
    if source.why_primary is None:
        try:
            async with open_database(views.dsn, 1) as replica:
                findings = await look(replica)
        except (RetentionError, *UNAVAILABLE, psycopg.Error) as error:
            source = ViewSource(why_primary=views.redact(f"the replica went away: {first_line(error)}"))
        else:
            if all(finding.ok for finding in findings):
                return [_finding(source), *findings]
            # What fails on the primary, too, is a fault of the view.
            source = ViewSource(why_primary=next(finding.message for finding in findings if not finding.ok))
    return [_finding(source), *await look(database)]


def _finding(source: ViewSource) -> Finding:
    return Finding(REPLICA, ok=True, message=str(source), warning=source.doubtful)
