"""Stalled and interrupted runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retention.core.runs.stalled import INTERRUPTED, OtherRun, Stalled
from retention.ledger.records import records
from retention.ledger.scope_parameters import scope_parameters

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from retention.core.planning.plan import Scope
    from retention.ledger.database import Database


class StalledRuns:
    """Finds runs without progress or without a process; `replica` is this process's name."""

    def __init__(self, database: Database, replica: str) -> None:
        self._database_patient = database
        self._database = database.control()
        self._replica = replica

    async def mark_stalled_runs(self, run_id: UUID | None = None, *, scheduled: bool = False) -> list[Stalled]:
        """Mark stalled runs, or only the run `run_id`; returns the newly marked runs.

        A run without a process ends as failed; a scheduled run only with `scheduled`, because daemons resume it.
        """
        rows = await self._database.rows(
            "runs/mark_stalled_runs", run_id=run_id, scheduled=scheduled, reason=INTERRUPTED, replica=self._replica
        )
        return records(Stalled, rows)

    async def end_interrupted_runs(self) -> list[Stalled]:
        """End the runs that have no process and whose rounds other runs took over; returns them."""
        rows = await self._database.rows("runs/end_interrupted_runs", reason=INTERRUPTED, replica=self._replica)
        return records(Stalled, rows)

    async def list_overlapping_runs(
        self, policy: str, scope: Scope, as_of: datetime, run_id: UUID | None = None
    ) -> tuple[OtherRun, ...]:
        """List the other runs that work on rounds of a scope, and the policy's stalled runs."""
        wanted = ("partners", "open_longer_than", "markets", "games", "exclude_markets", "exclude_games")
        limits = {key: value for key, value in scope_parameters(scope, as_of).items() if key in wanted}
        rows = await self._database_patient.rows(
            "runs/list_overlapping_runs", policy=policy, run_id=run_id, as_of=as_of, **limits
        )
        return tuple(records(OtherRun, rows))
