"""The page of the ledger's states cannot drift from the code."""

from __future__ import annotations

from support.states import README, filled

TEXT = README.read_text("utf-8")


def test_the_states_page_matches_the_code() -> None:
    """Diagram and table of transitions stand in sql/README.md as the code's table has them."""
    assert filled(TEXT) == TEXT, "run `python tests/support/states.py`"
