"""The summary of a run, and its exit code.

Rejected rounds are listed for review and count for exit code 4: they are not done, although the next run tries them
again. A cancellation known only from a probe is listed for review, because the vendor never promised its refund to
us.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from retention.core.model import LIVE_STATES, ReviewWhy, State
from retention.exit_codes import ExitCode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from decimal import Decimal
    from uuid import UUID


NOT_CONFIRMED = "not confirmed"
"""The reason of a run that was closed because its plan was not confirmed."""

_COUNTED = {
    ReviewWhy.IN_DOUBT,
    ReviewWhy.REJECTED,
    ReviewWhy.CONFLICT,
    ReviewWhy.INCOMPLETE,
    ReviewWhy.DISCREPANCY,
}
"""The reasons for review that a state, or a count of their own, shows."""


@dataclass(frozen=True, slots=True)
class Summary:
    """A run in the ledger, with counts of rounds.

    `states` counts the run's own rounds, `taken_up` the adopted doubts of earlier runs; the other counts cover both.
    `review` counts the rounds that `review list` has, by reason. `refunds` are the promised sums by currency, in
    currency units. `ended_by` is the process that ended the run. `unwritten` counts the rounds of a plan that a
    rail kept from being written. `unsent` counts, by reason, rounds that were not sent and need no review. `paused`:
    the kill switch halted the run. `pauses` are the active ones, each of a partner or (None) of all partners.
    `plan_digest` names the plan that a person approves, until `approval_expires_at`.
    """

    run_id: UUID
    policy: str
    mode: str
    status: str
    halt_reason: str | None
    states: Mapping[State, int] = field(default_factory=dict)
    taken_up: Mapping[State, int] = field(default_factory=dict)
    review: Mapping[ReviewWhy, int] = field(default_factory=dict)
    refunds: Mapping[str, Decimal] = field(default_factory=dict)
    finished_at: datetime | None = None
    ended_by: str | None = None
    unwritten: int = 0
    trigger: str = "on_demand"
    unsent: Mapping[str, int] = field(default_factory=dict)
    paused: bool = False
    pauses: Sequence[str | None] = ()
    plan_digest: str | None = None
    approval_expires_at: datetime | None = None
    approved_by: str | None = None

    @property
    def rounds(self) -> int:
        """How many rounds the run planned."""
        return sum(self.states.values()) + self.unwritten

    @property
    def done(self) -> int:
        """How many of them nothing more is done for in this run."""
        return sum(count for state, count in self.states.items() if state not in LIVE_STATES)

    @property
    def has_unsent(self) -> bool:
        """Whether there are rounds that the run still has to call, or a plan that is not written."""
        waiting = (State.PLANNED, State.CLAIMED, State.RETRYING)
        return bool(self.unwritten) or any(
            counts.get(state, 0) for counts in (self.states, self.taken_up) for state in waiting
        )

    @property
    def needs_review(self) -> bool:
        """Whether something is left that a person has to look at, or was left undone."""
        return self.mode == "enforce" and (self.is_listed or self._has(State.NOT_SENT))

    @property
    def is_listed(self) -> bool:
        """Whether `review list` has something of it."""
        return self.mode == "enforce" and any(self.review.values())

    @property
    def conflicts(self) -> int:
        """How many rounds are cancelled and not closed at the operator's."""
        return self.review.get(ReviewWhy.CONFLICT, 0)

    @property
    def incomplete(self) -> int:
        """How many replies did not tell the whole refund."""
        return self.review.get(ReviewWhy.INCOMPLETE, 0)

    @property
    def discrepancies(self) -> int:
        """How many refunds differ from their stake."""
        return self.review.get(ReviewWhy.DISCREPANCY, 0)

    @property
    def to_review(self) -> int:
        """How many reasons for review neither the states nor the other counts show."""
        return sum(count for why, count in self.review.items() if why not in _COUNTED)

    def _has(self, state: State) -> bool:
        return any(counts.get(state, 0) for counts in (self.states, self.taken_up))


def exit_code(
    summary: Summary,
    *,
    stopped_by: ExitCode | None = None,
    unreachable: bool = False,
    stuck: bool = False,
    refused: bool = False,
) -> ExitCode:
    """The contract's exit code; `stopped_by` is that of the signal that came.

    `stuck`: rounds that this run would have planned are in the hands of a run that does not get done with them.
    `refused`: rounds that a person named are not planned.
    """
    if stopped_by is not None:
        return stopped_by
    if summary.status == "halted":
        return ExitCode.HALTED
    if summary.status == "awaiting_approval":
        return ExitCode.AWAITING_APPROVAL
    if unreachable or summary.status == "failed":
        return ExitCode.UNREACHABLE
    return ExitCode.REVIEW if stuck or refused or summary.needs_review else ExitCode.DONE
