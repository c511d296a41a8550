"""Runs that stand still."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retention.core.runs.stalled import INTERRUPTED, OtherRun, Stalled
from retention.ledger.plans import scope_parameters

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from retention.core.planning.plan import Scope
    from retention.ledger.database import Database


class StalledRuns:
    """Finds runs that make no progress; `replica` is this process's name."""

    def __init__(self, database: Database, replica: str) -> None:
        self._database_patient = database
        self._database = database.control()
        self._replica = replica

    async def mark_stalled_runs(self, run_id: UUID | None = None, *, scheduled: bool = False) -> list[Stalled]:
        """Mark the runs that have stalled, or this one alone; returns those that were not marked before.

        A run that no process works on has failed; a scheduled one only with `scheduled`, since daemons take it over.
        """
        rows = await self._database.rows(
            "runs/mark_stalled_runs", run_id=run_id, scheduled=scheduled, reason=INTERRUPTED, replica=self._replica
        )
        return [Stalled(*row) for row in rows]

    async def end_interrupted_runs(self) -> list[Stalled]:
        """End the runs that no process works on and whose rounds other runs have taken over; returns them."""
        rows = await self._database.rows("runs/end_interrupted_runs", reason=INTERRUPTED, replica=self._replica)
        return [Stalled(*row) for row in rows]

    async def list_overlapping_runs(
        self, policy: str, scope: Scope, as_of: datetime, run_id: UUID | None = None
    ) -> tuple[OtherRun, ...]:
        """The other runs that have rounds of a scope in hand, and those of the policy that have stalled."""
        wanted = ("partners", "open_longer_than", "markets", "games", "exclude_markets", "exclude_games")
        limits = {key: value for key, value in scope_parameters(scope, as_of).items() if key in wanted}
        rows = await self._database_patient.rows(
            "runs/list_overlapping_runs", policy=policy, run_id=run_id, as_of=as_of, **limits
        )
        return tuple(OtherRun(*row) for row in rows)
