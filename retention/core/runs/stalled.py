"""Stalled runs, and the rounds that other runs have in hand: their words for people.

Progress is a round that has ended (`runs.progressed_at`), recorded with the heartbeat. Replies are not progress: a
429 is a reply. A run without a process ends as `failed` after another run took its rounds over, or after
`stalled_after` without a heartbeat. Daemons resume scheduled runs; therefore only a daemon that has been up for a
minute ends them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from retention.core.runs.halt_cause import HaltCause
from retention.core.text import counted, second_text

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

INTERRUPTED = HaltCause.INTERRUPTED.reason("no process has worked on it any more")
"""The halt_reason of a run without a process, which no process has resumed."""


class Stalled(NamedTuple):
    """A run without progress for the `stalled_after` of its policy; `interrupted`: no process works on it."""

    run_id: UUID
    policy: str
    progressed_at: datetime
    interrupted: bool


class OtherRun(NamedTuple):
    """A run that holds so many `rounds` of another run's scope.

    `at_work`: a process works on it. `stalled`: it has made no progress for the `stalled_after` of its policy.
    `approved`: a person has approved it, if it needs that.
    """

    run_id: UUID
    policy: str
    status: str
    progressed_at: datetime
    at_work: bool
    stalled: bool
    rounds: int
    approved: bool = False

    @property
    def is_stuck(self) -> bool:
        """Whether the run may never end its rounds."""
        return self.stalled or not (self.at_work or self.waits)

    @property
    def waits(self) -> bool:
        """Whether the run waits for its approval, or for its start with one."""
        return self.status == "awaiting_approval"

    def __str__(self) -> str:
        rounds = f"{counted(self.rounds, 'stale round')} {'is' if self.rounds == 1 else 'are'}"
        since = f"it has made no progress since {second_text(self.progressed_at)}"
        if self.waits and self.approved:
            state = f"it is approved, and `retention run --resume {self.run_id}` starts it"
        elif self.waits:
            state = f"it awaits approval; `retention runs show {self.run_id}` tells more"
        elif not self.at_work:
            state = f"no process works on it, and {since}; `retention run --resume {self.run_id}` goes on with it"
        elif self.stalled:
            state = f"{since}; `retention runs show {self.run_id}` tells more"
        else:
            state = "it goes on"
        return f"{rounds} in the hands of run {self.run_id} of policy {self.policy}: {state}"


def status_text(status: str, *, at_work: bool, stalled: bool) -> str:
    """Write a run's status for a list."""
    if status not in {"planned", "running"}:
        return status
    if not at_work:
        return "interrupted"
    return f"{status}, stalled" if stalled else status
