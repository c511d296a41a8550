"""What the ledger knows of each policy, for the metrics: its last runs, and what waits for a person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from retention.core.model import ReviewWhy

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime
    from uuid import UUID

    from retention.ledger.database import Database


@dataclass(frozen=True, slots=True)
class LastRuns:
    """A policy's last runs; None where there was none.

    `finished_at`: when the newest run ended as finished or failed. `succeeded_at`: when the newest run ended as
    finished, and not behind one that stands still; `stalled` counts those. `run_id` and `status` are of the run that
    ended last, a halted one included.
    """

    finished_at: datetime | None
    succeeded_at: datetime | None
    run_id: UUID | None
    status: str | None
    stalled: int = 0


class PolicyFacts:
    """Reads them. Each method is one statement."""

    def __init__(self, database: Database) -> None:
        self._database = database.control()

    async def list_last_runs(self, policies: Collection[str], dry_run_policies: Collection[str]) -> dict[str, LastRuns]:
        """Find the last runs of each of these policies; of those in `dry_run_policies`, a dry run is a success."""
        rows = await self._database.rows(
            "runs/list_last_runs", policies=list(policies), dry_run_policies=list(dry_run_policies)
        )
        return {row.policy: LastRuns(*row[1:]) for row in rows}

    async def count_review(self, max_runs: Mapping[str, int]) -> dict[tuple[str, ReviewWhy], int]:
        """Count the rounds that need a person, by the policy that planned them and by why; what is not in it is 0.

        `max_runs` is each partner's. It reads the whole ledger, which may take seconds.
        """
        rows = await self._database.rows(
            "review/count_review", partners=list(max_runs), max_runs=list(max_runs.values())
        )
        return {(row.policy, ReviewWhy(row.why)): row.rounds for row in rows}
