"""Decisions of a person: which of them the ledger can take, and what the evidence says of them."""

from __future__ import annotations

import hashlib
from decimal import Decimal
from typing import Any, NamedTuple

import pytest

from retention.core.evidence.resolutions import Resolution, check_resolutions, resolution_facts, resolved_text
from retention.core.model import State

EARLIER = "; before: "


class Row(NamedTuple):
    """A row of the ledger: by default a doubt."""

    id: int = 1
    partner: str = "acme"
    round_id: str = "R-1"
    state: str = "in_doubt"
    mode: str = "enforce"
    conflict: bool = False
    resolved_as: str | None = None
    resolved_by: str | None = None
    resolved_note: str | None = None
    resolved_from: str | None = None
    finding: bool = False
    rival: bool = False
    amount: Decimal | None = None
    currency: str | None = None
    stake: Decimal | None = Decimal(10)
    stake_currency: str | None = "EUR"


def resolved(**changes: Any) -> Row:
    """A doubt that ann resolved as cancelled."""
    values = {"state": "resolved", "resolved_as": "cancelled", "resolved_by": "ann", "resolved_note": "asked"}
    return Row(**{**values, "resolved_from": "in_doubt", **changes})


def decision(id: int = 1, as_state: str = "cancelled", note: str = "asked", **more: Any) -> Resolution:  # noqa: A002
    """A decision, by default that a round is cancelled."""
    return Resolution(id, State(as_state), note, **more)


def refusal(one: Resolution, row: Row) -> str | None:
    """Why ann's decision is refused; None if it is not."""
    found = check_resolutions([one], [row], "ann", EARLIER)
    assert len(found.refused) + len(found.to_do) + len(found.done) == 1
    return next(iter(found.refused), None)


@pytest.mark.parametrize(
    ("one", "row", "words"),
    [
        (decision(), Row(mode="dry_run", state="not_sent"), "belongs to a dry run"),
        (decision(), Row(state="claimed"), "is being worked on by a run just now"),
        (decision(), Row(state="planned"), "is planned: its run is not through with it"),
        (decision(), Row(state="retrying"), "is retrying: its run is not through with it"),
        (decision(as_state="rejected"), Row(state="cancelled"), "is confirmed by the vendor"),
        (decision(as_state="held"), Row(state="already_cancelled", finding=True), "is confirmed by the vendor"),
        (decision(as_state="held"), resolved(resolved_from="cancelled", finding=True), "is confirmed by the vendor"),
        (decision(note="no"), resolved(), "is resolved already, as cancelled by ann"),
        (decision(note="no"), resolved(conflict=True), "by ann; `retention review reclose` closes its round"),
        (decision(as_state="rejected"), resolved(), "is resolved already, as cancelled by ann"),
        (decision(), resolved(resolved_by="bob"), "is resolved already, as cancelled by bob"),
        (decision(), Row(state="rejected", rival=True), "another row of its round is live or cancelled"),
        (decision(expected="in_doubt"), Row(state="cancelled"), "is cancelled by now, and in_doubt in the file"),
    ],
)
def test_a_decision_that_cannot_be_taken_says_why(one: Resolution, row: Row, words: str) -> None:
    """A row that a run works on, a state that the vendor has confirmed, and a standing resolution are refused."""
    assert words in str(refusal(one, row))


@pytest.mark.parametrize(
    ("one", "row"),
    [
        *((decision(as_state=state), Row()) for state in ("cancelled", "already_completed", "held", "not_sent")),
        (decision(), Row(state="cancelled")),
        (decision(as_state="already_cancelled"), Row(state="cancelled", finding=True)),
        (decision(as_state="rejected"), Row(state="rejected", rival=True)),
        (decision(as_state="rejected"), resolved(conflict=True)),
        (decision(), resolved(finding=True)),
        (decision(as_state="rejected"), resolved(finding=True)),
        (decision(expected="in_doubt"), Row()),
    ],
)
def test_a_decision_that_can_be_taken_is(one: Resolution, row: Row) -> None:
    """What the vendor has cancelled is confirmed, a doubt becomes anything, and a newer finding opens a resolution."""
    assert refusal(one, row) is None
    assert [one] == check_resolutions([one], [row], "ann", EARLIER).to_do


@pytest.mark.parametrize("note", ["asked", "asked; before: rejected by bob at 2025-03-05T00:00:00Z: no"])
@pytest.mark.parametrize("conflict", [False, True])
def test_a_decision_that_stands_is_done_already(note: str, conflict: bool) -> None:
    """The same person, state and note are no error, whatever the file's state: a batch can be given again.

    Its round is closed where that is still to be done.
    """
    row = resolved(resolved_note=note, conflict=conflict)
    found = check_resolutions([decision(expected="in_doubt")], [row], "ann", EARLIER)
    assert ([], [1], [1] if conflict else [], []) == (found.to_do, found.done, found.unclosed, found.refused)


def test_refusals_name_their_line() -> None:
    """Each refused decision of a file is named by its line; a missing cancellation is, too."""
    decisions = [decision(1, line=2), decision(2, line=3), decision(3, line=5)]
    found = check_resolutions(decisions, [Row(1), Row(2, round_id="R-2", state="claimed")], "ann", EARLIER)
    claimed, missing = found.refused
    assert claimed.startswith("line 3: cancellation 2 is being worked on")
    assert missing.startswith("line 5: there is no cancellation 3; ")


def test_two_rows_of_a_round_are_not_both_cancelled() -> None:
    """A round that two decisions would cancel is refused before the ledger refuses it."""
    decisions = [decision(1), decision(2)]
    found = check_resolutions(decisions, [Row(1, state="rejected"), Row(2, state="rejected")], "ann", EARLIER)
    assert ["cancellation 2 cannot be cancelled: so is cancellation 1, which is of the same round"] == found.refused


def test_sums_are_by_state_and_currency() -> None:
    """The question before a batch counts by state, and sums refunds and stakes by currency, exactly."""
    rows = [
        Row(1, round_id="a", state="cancelled", amount=Decimal("0.1"), currency="EUR"),
        Row(2, round_id="b", state="cancelled", amount=Decimal("0.2"), currency="EUR", stake=None),
        Row(3, round_id="c", stake_currency="SEK"),
        Row(4, round_id="d", stake=None),
    ]
    decisions = [decision(1), decision(2), decision(3), decision(4, "rejected")]
    sums = check_resolutions(decisions, rows, "ann", EARLIER).sums
    assert {State.CANCELLED: 3, State.REJECTED: 1} == {state: total.count for state, total in sums.items()}
    assert {"EUR": Decimal("0.3")} == sums[State.CANCELLED].refunds
    assert {"EUR": Decimal(10), "SEK": Decimal(10)} == sums[State.CANCELLED].stakes
    assert ({}, {}) == (sums[State.REJECTED].refunds, sums[State.REJECTED].stakes)


def test_the_evidence_of_one_decision_has_its_words() -> None:
    """One decision is in the evidence with its author, state and note."""
    assert {"by": "ann", "as": "cancelled", "note": "asked"} == resolution_facts([decision()], "ann")


def test_the_evidence_of_many_has_a_digest_of_their_ids() -> None:
    """Several decisions are counted by state, and the digest is that of their ids, whatever their order."""
    digest = hashlib.sha256(b"2\n10\n").hexdigest()
    facts = resolution_facts([decision(10), decision(2, "rejected", "no")], "ann")
    assert {"by": "ann", "as": {"cancelled": 1, "rejected": 1}, "rows": 2, "ids_sha256": digest} == facts
    assert "2 cancellations: 1 as cancelled, 1 as rejected" == resolved_text({State.REJECTED: 1, State.CANCELLED: 1})
