"""What comes of closing a round once more, as values."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from retention.core.evidence.closing import RoundLook, Verdict, refusal_in, refused, verdict

AT = datetime(2026, 3, 1, tzinfo=UTC)


def look(*, closed: bool = False, another: bool = False, still_open: bool = False) -> RoundLook:
    """What a call showed."""
    return RoundLook(closed, another, still_open)


@pytest.mark.parametrize("resolved", [True, False])
@pytest.mark.parametrize("detail", [None, "close_rounds: no such wallet", "asked twice; close_rounds: a; b"])
def test_what_was_there_before_is_kept_once_it_is_closed(detail: str | None, resolved: bool) -> None:
    """Closed, it needs nobody; who closed it when stands behind all that stood there."""
    told = verdict(look(closed=True), detail, "ann", AT, resolved=resolved)
    words = "closed at the operator's by ann at 2026-03-01T00:00:00Z"
    assert Verdict(f"{detail}; {words}" if detail else words) == told


@pytest.mark.parametrize("resolved", [True, False])
def test_what_may_be_open_stays_listed(resolved: bool) -> None:
    """While the view has the round, or another under its id, it stays listed, resolved or not."""
    seen_open = (look(still_open=True), look(another=True), look(another=True, still_open=True))
    for seen in (*seen_open, look(closed=True, still_open=True)):
        assert verdict(seen, None, "ann", AT, resolved=resolved).why


def test_what_is_open_nowhere_waits_for_a_word() -> None:
    """Not open any more, it needs a person's word where there is none yet, and nothing where there is."""
    assert (
        verdict(look(), "x", "ann", AT, resolved=False).why
        == "the round is not open in the operator's view any more; resolve it"
    )
    told = verdict(look(), "x", "ann", AT, resolved=True)
    assert (None, "x; not open at the operator's any more when ann looked at 2026-03-01T00:00:00Z") == (
        told.why,
        told.detail,
    )


def test_a_refusal_takes_the_place_of_the_one_before() -> None:
    """However often it is tried, the newest refusal is told, and what is no refusal stays."""
    detail: str | None = "asked twice"
    for words in ("one", "two; with more", "three"):
        detail = refused(detail, words).detail
        assert (f"asked twice; close_rounds: {words}", f"close_rounds: {words}") == (detail, refusal_in(detail))
    assert "close_rounds: b" == refused("close_rounds: a", "b").detail
    assert [None, None] == [refusal_in(None), refusal_in("the vendor says close_rounds: x")]
