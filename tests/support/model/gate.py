"""The approvals of one example: which runs need one, what persons have decided, and what may follow from that."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

EXPIRES_S = 100.0
"""Seconds after its plan in which an approval has to be given and used."""

SETTINGS = {"requires_approval": True, "approval_expires": f"{EXPIRES_S:g}s"}
"""The settings of a run that requires approval, and that ann asks for."""


@dataclass(slots=True)
class Gated:
    """A run that requires approval. `expires`: when, in seconds; `changed`: a row is not as it was planned."""

    number: int
    run_id: UUID
    expires: float
    digest: str | None = None
    held: frozenset[int] = frozenset()
    """The rows that it waits with, from the moment on when it asks for its approval."""
    approved: bool = False
    rejected: bool = False
    used: bool = False
    changed: bool = False
    over: bool = False

    @property
    def waiting(self) -> bool:
        """Whether it waits for a person, or for its start."""
        return self.digest is not None and not (self.used or self.rejected or self.over)

    def unfit(self, now: float) -> str | None:
        """Say why no approval of it may count any more."""
        if self.rejected:
            return "it was rejected"
        if now >= self.expires:
            return "its approval had expired"
        return "its rows are not those that were planned" if self.changed else None


@dataclass(slots=True)
class Gate:
    """All runs of one example that require approval, by their ids."""

    runs: dict[str, Gated] = field(default_factory=dict)

    def start_problem(self, run_id: object, now: float) -> str | None:
        """Note a start; say why it should not have been."""
        run = self.runs.get(str(run_id))
        if run is None or run.used:
            return None
        run.used = True
        problem = run.unfit(now) if run.approved else "nobody had approved it"
        return problem and f"run {run.number} started, and {problem}"

    def call_problem(self, run_ids: Iterable[object]) -> str | None:
        """Say why a round of these runs may not be called: its own run, and the one that works on it."""
        for run in filter(None, (self.runs.get(str(run_id)) for run_id in run_ids)):
            if not run.used:
                return f"run {run.number} had no approval"
        return None

    def row_problem(self, row_id: int, state: str, now: float) -> str | None:
        """Say how a waiting run has lost a row."""
        for run in self.runs.values():
            if row_id in run.held and run.waiting and now < run.expires and state != "planned":
                return f"it was taken from run {run.number}, which waits for its approval"
        return None
