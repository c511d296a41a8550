"""The kill switch: paused partners, and the run that it halts."""

from __future__ import annotations

import pytest

from retention.core.runs.pauses import ActivePause, pause_of_all, paused_partners, pauses_text

ALL, ACME = ActivePause(None, "ann", "incident 4"), ActivePause("acme", "bob", "odd refunds")
ALL_WORDS = "paused by ann: incident 4; `retention resume --by WHO` ends it"
ACME_WORDS = "paused by bob: odd refunds (acme); `retention resume --partner acme --by WHO` ends it"


@pytest.mark.parametrize(
    ("pauses", "paused", "of_all"),
    [
        ((), {}, None),
        ((ACME,), {"acme": ACME_WORDS}, None),
        ((ALL,), {"acme": ALL_WORDS, "other": ALL_WORDS}, ALL_WORDS),
        ((ACME, ALL), {"acme": ACME_WORDS, "other": ALL_WORDS}, f"{ACME_WORDS}; {ALL_WORDS}"),
        ((ActivePause("elsewhere", "bob", "x"),), {}, None),
    ],
)
def test_a_pause_stops_its_partner_and_halts_a_run_without_others(
    pauses: tuple[ActivePause, ...], paused: dict[str, str], of_all: str | None
) -> None:
    """A partner has the oldest pause that covers it, and a run halts where no partner is left to call."""
    partners = ("acme", "other")
    found = paused_partners(pauses, partners)
    assert (paused, of_all) == (found, pause_of_all(found, partners))


def test_a_run_without_partners_is_not_paused() -> None:
    """A run without a partner is not paused."""
    assert (None, "") == (pause_of_all({}, ()), pauses_text({}))
