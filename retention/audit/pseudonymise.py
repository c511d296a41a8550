"""Replaces users' ids by keyed pseudonyms, in rows that need them no more. Evidence has pseudonyms alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from retention.ledger.given_text import require_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime, timedelta

    from retention.ledger.database import Database

BATCH = 5000
"""Rows of a table that one transaction changes."""


@dataclass(slots=True)
class Erased:
    """The changed rows, and the rows that keep an id because work needs it: `live` rounds, rounds `of_runs` that have
    not ended, standing `holds_kept`.

    `erased` counts the rows with the user's pseudonym, also earlier ones. `mentions`: texts that repeat the user's id,
    by table and column.
    """

    cancellations: int = 0
    holds: int = 0
    live: int = 0
    of_runs: int = 0
    holds_kept: int = 0
    erased: int = 0
    mentions: Mapping[str, int] = field(default_factory=dict)

    @property
    def kept(self) -> int:
        """How many rows keep an id for now."""
        return self.live + self.of_runs + self.holds_kept


async def pseudonymise(database: Database, user: str | None, older_than: timedelta | None, by: str) -> Erased:
    """Replace the ids of one user, or those of rows settled or ended so long ago. Raises UsageError for blank words.

    Each batch is a transaction with its own entry of evidence: an interruption leaves nothing half done.
    """
    begun: datetime = (await database.row("clocks/get_time")).now
    before = None if older_than is None else begun - older_than
    values = {"user_id": user, "before": before}
    found, durable = Erased(), database.durable()
    words = require_text(by, "who replaces")
    while True:
        done = await durable.row("pseudonyms/replace_user_ids", by=words, begun=begun, limit=BATCH, **values)
        found.cancellations += done.cancellations
        found.holds += done.holds
        if max(done.cancellations, done.holds) < BATCH:
            break
    kept = await database.row("pseudonyms/count_kept_user_ids", **values)
    found.live, found.of_runs, found.holds_kept, found.erased = kept.live, kept.of_runs, kept.holds, kept.erased
    if user is not None:
        rows = await database.rows("pseudonyms/find_user_mentions", user_id=user)
        found.mentions = {row.place: row.rows for row in rows}
    return found
