"""Facts about each policy for the metrics: its last runs, and its rounds that need review."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from retention.core.model import ReviewWhy
from retention.ledger.records import record

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime
    from uuid import UUID

    from retention.ledger.database import Database


@dataclass(frozen=True, slots=True)
class LastRuns:
    """A policy's last runs; None stands for a missing run.

    `finished_at`: the end of the newest finished or failed run. `succeeded_at`: the end of the newest finished run that
    was not behind a stalled one; `stalled` counts stalled runs. `run_id` and `status` belong to the run that ended or
    halted last. `scheduled_for`: the newest scheduled time that has come.
    """

    finished_at: datetime | None
    succeeded_at: datetime | None
    run_id: UUID | None
    status: str | None
    scheduled_for: datetime | None = None
    stalled: int = 0


class PolicyFacts:
    """Reads the facts. Each method runs one statement."""

    def __init__(self, database: Database) -> None:
        self._database = database.control()

    async def list_last_runs(self, policies: Collection[str], dry_run_policies: Collection[str]) -> dict[str, LastRuns]:
        """List the last runs of these policies; for a policy in `dry_run_policies`, a dry run counts as a success."""
        rows = await self._database.rows(
            "runs/list_last_runs", policies=list(policies), dry_run_policies=list(dry_run_policies)
        )
        return {row.policy: record(LastRuns, row) for row in rows}

    async def list_failed_reports(self, reports: Collection[str]) -> dict[str, bool]:
        """Return of each of these reports whether its newest one could not be made."""
        rows = await self._database.rows("scheduled_reports/list_failed_reports", names=list(reports))
        return {row.name: row.failed for row in rows}

    async def count_review(self, max_runs: Mapping[str, int]) -> dict[tuple[str, ReviewWhy], int]:
        """Count the rounds that need review, by policy and reason; a missing key means 0.

        `max_runs` is each partner's. The statement reads the whole ledger, which may take seconds.
        """
        rows = await self._database.rows(
            "review/count_review", partners=list(max_runs), max_runs=list(max_runs.values())
        )
        return {(row.policy, ReviewWhy(row.why)): row.rounds for row in rows}
