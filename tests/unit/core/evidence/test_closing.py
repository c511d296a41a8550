"""Another try to close a round in the operator's database: its note, and the refusal in a stored detail."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from retention.core.evidence.closing import (
    ClosingNote,
    ClosingRefusal,
    ClosingResult,
    closing_note,
    refusal_note,
    split_detail,
)

AT = datetime(2026, 3, 1, tzinfo=UTC)


def result(*, closed: bool = False, another: bool = False, still_open: bool = False) -> ClosingResult:
    """The result of a call."""
    return ClosingResult(closed, another, still_open)


@pytest.mark.parametrize("resolved", [True, False])
@pytest.mark.parametrize("detail", [None, "close_rounds: no such wallet", "asked twice; close_rounds: a; b"])
def test_a_closed_round_keeps_its_earlier_detail(detail: str | None, resolved: bool) -> None:
    """A closed round is not listed any more, and its detail ends with who closed it and when."""
    note = closing_note(result(closed=True), detail, "ann", AT, resolved=resolved)
    words = "closed at the operator's by ann at 2026-03-01T00:00:00Z"
    assert ClosingNote(f"{detail}; {words}" if detail else words) == note


@pytest.mark.parametrize("resolved", [True, False])
def test_a_round_that_may_be_open_stays_listed(resolved: bool) -> None:
    """While the view has the round, or another one under its id, the cancellation stays listed, resolved or not."""
    seen_open = (result(still_open=True), result(another=True), result(another=True, still_open=True))
    for seen in (*seen_open, result(closed=True, still_open=True)):
        assert closing_note(seen, None, "ann", AT, resolved=resolved).why


def test_a_round_that_is_not_open_waits_for_its_resolution() -> None:
    """A round that is not open any more stays listed until a person has resolved it."""
    assert (
        closing_note(result(), "x", "ann", AT, resolved=False).why
        == "the round is not open in the operator's view any more; resolve it"
    )
    note = closing_note(result(), "x", "ann", AT, resolved=True)
    assert (None, "x; not open at the operator's any more when ann looked at 2026-03-01T00:00:00Z") == (
        note.why,
        note.detail,
    )


def test_a_refusal_replaces_the_one_before() -> None:
    """A detail names the newest refusal alone, behind the text that is no refusal."""
    detail: str | None = "asked twice"
    for words in ("one", "two; with more", "three"):
        detail = refusal_note(detail, words).detail
        assert (f"asked twice; close_rounds: {words}", ("asked twice", ClosingRefusal(words))) == (
            detail,
            split_detail(detail),
        )
    assert "close_rounds: b" == refusal_note("close_rounds: a", "b").detail


def test_a_detail_without_a_refusal_is_no_refusal() -> None:
    """The function's name within other words is no refusal."""
    assert (None, None) == split_detail(None)
    assert ("the vendor says close_rounds: x", None) == split_detail("the vendor says close_rounds: x")
