"""Rounds that a person names, and the reasons why a targeted run refuses some of them."""

from __future__ import annotations

import enum
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from retention.core.model import CANCELLED_STATES, State
from retention.core.planning.plan import DUPLICATED, WHY_UNPLANNABLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from uuid import UUID


TARGETED = "targeted"
"""The trigger of the runs of named rounds, and the name of the policy that may give their rails."""


class NamedRound(NamedTuple):
    """A round as a person names it: data, exactly as written."""

    partner: str
    round_id: str


class Refusal(enum.StrEnum):
    """The reasons against a named round; a broken row of the view has a code of WHY_UNPLANNABLE instead."""

    UNKNOWN = "unknown"
    NOT_OPEN = "not_open"
    NAMED_TWICE = "named_twice"
    HELD = "held"
    CANCELLED = "cancelled"
    LIVE = "live"
    IN_DOUBT = "in_doubt"
    GIVEN_UP = "given_up"
    DOUBLED = DUPLICATED
    CHANGED = "changed"


_WORDS = {
    Refusal.UNKNOWN: "unknown: neither the open rounds nor the ledger have it",
    Refusal.NOT_OPEN: "not open any more",
    Refusal.NAMED_TWICE: "named twice; name each round once",
    Refusal.HELD: "on hold",
    Refusal.CANCELLED: "cancelled already by run {run}",
    Refusal.LIVE: "live in run {run}",
    Refusal.IN_DOUBT: "in doubt since run {run}; `retention review resolve` or the next run of a policy settles it",
    Refusal.GIVEN_UP: "refused or already completed in max_runs runs; `retention review resolve` allows it again",
    Refusal.DOUBLED: "in the view more than once",
    Refusal.CHANGED: "changed while the run was planned; name it again",
}


@dataclass(frozen=True, slots=True)
class RefusedRound:
    """A named round that is not called. `run_id`: the run that has cancelled it, or has it in hand.

    A round that is cancelled without one is so in an archived month.
    """

    partner: str
    round_id: str
    why: str
    run_id: UUID | None = None

    def __str__(self) -> str:
        """Write the reason, to follow the round's name."""
        if self.why in WHY_UNPLANNABLE:
            return f"in the view with {WHY_UNPLANNABLE[self.why]}"
        if self.why == Refusal.CANCELLED and self.run_id is None:
            return "cancelled already, in a month that is archived; `retention explain` names it"
        return _WORDS[Refusal(self.why)].format(run=self.run_id)


class LedgerRow(NamedTuple):
    """The row of a named round that decides about it. `state`: as a person resolved it, where one did."""

    holds_round: bool
    state: str
    may_have_taken_effect: bool


def refusal_of(standing: str | None, row: LedgerRow | None) -> str:
    """Return the reason against a round by its `standing` in the view (None: not open) and its row in the ledger."""
    if standing not in {None, "in_ledger"}:
        return Refusal.CHANGED if standing == "eligible" else str(standing)
    if row is None:
        return Refusal.UNKNOWN if standing is None else Refusal.CHANGED
    if not row.holds_round:
        return Refusal.NOT_OPEN if standing is None else Refusal.CHANGED
    if row.state in CANCELLED_STATES:
        return Refusal.CANCELLED
    in_doubt = row.state == State.IN_DOUBT or row.may_have_taken_effect
    return Refusal.IN_DOUBT if in_doubt else Refusal.LIVE


def split_repeated(named: Iterable[NamedRound]) -> tuple[tuple[NamedRound, ...], tuple[RefusedRound, ...]]:
    """Split named rounds into those named once and those named more than once, each in the order of their names.

    A list that has a round twice was put together wrongly, so neither mention counts.
    """
    counts = Counter(named)
    once = tuple(one for one, count in counts.items() if count == 1)
    twice = tuple(RefusedRound(*one, Refusal.NAMED_TWICE) for one, count in counts.items() if count > 1)
    return once, twice


def count_refusals(refused: Sequence[RefusedRound]) -> dict[str, int]:
    """Count refused rounds by reason."""
    return dict(sorted(Counter(str(one.why) for one in refused).items()))
