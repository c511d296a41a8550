"""The reasons for which a cancellation needs a person, each in words.

The statement that lists the rounds decides the reasons, as codes; this module says them to people.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from retention.core.evidence.discrepancies import SettledRound, discrepancies_of
from retention.core.model import Review, State
from retention.core.money import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


class ListedCancellation(SettledRound, Protocol):
    """A row of `list_review`. `findings`: kind, ledger, vendor, operator and wallet of each open one."""

    @property
    def why(self) -> Sequence[str]: ...
    @property
    def review(self) -> str | None: ...
    @property
    def given_up(self) -> bool: ...
    @property
    def findings(self) -> Sequence[Mapping[str, str | None]] | None: ...


_STATES = {
    State.IN_DOUBT: "in doubt: the vendor may or may not have cancelled it",
    State.REJECTED: "rejected by the vendor",
    State.ALREADY_COMPLETED: "already completed at the vendor, still open here",
}

_NOT_CALLED = {
    Review.WINNINGS: "the vendor tells winnings, so it was not cancelled",
    Review.NOT_ASKED: "the vendor could not be asked about it, so it was not cancelled",
    Review.FINDING: "the operator's view has it more than once, so it was not cancelled",
}

_FINDINGS = {
    "open_at_vendor": "open at the vendor",
    "cancelled_at_vendor": "cancelled at the vendor",
    "completed_at_vendor": "completed at the vendor",
    "open_at_operator": "open at the operator's",
    "refund_missing": "no refund in the wallet",
    "refund_differs": "another refund in the wallet",
    "refund_twice": "more than one refund in the wallet",
}
"""The meaning of each kind of finding."""

_SIDES = ("ledger", "vendor", "operator", "wallet")


def review_reasons(row: ListedCancellation) -> tuple[str, ...]:
    """Say why a cancellation needs a person, one sentence for each reason."""
    return tuple(_reasons(row))


def _reasons(row: ListedCancellation) -> Iterator[str]:
    listed_for_state = row.state in row.why or (row.state == State.ALREADY_COMPLETED and row.given_up)
    if listed_for_state and (words := _STATES.get(State(row.state))):
        yield words
        if row.given_up:
            yield "given up: not planned again before it is resolved"
    # A person who resolves a row has judged all but its conflict: the round may still be open at the operator's.
    resolved = row.state == State.RESOLVED
    if row.review is not None and row.review in row.why and not resolved:
        yield _NOT_CALLED[Review(row.review)]
    yield from discrepancies_of(row, refund_judged=resolved)
    yield from map(_finding, row.findings or ())


def _finding(found: Mapping[str, str | None]) -> str:
    sides = ", ".join(f"{side}: {found[side] or UNKNOWN}" for side in _SIDES)
    return f"{_FINDINGS[str(found['kind'])]} ({sides})"
