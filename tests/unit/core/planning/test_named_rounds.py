"""Named rounds: repeated names, and the reason against each round."""

from __future__ import annotations

from uuid import UUID

import pytest

from retention.core.planning.named_rounds import (
    LedgerRow,
    NamedRound,
    Refusal,
    RefusedRound,
    count_refusals,
    refusal_of,
    split_repeated,
)
from retention.core.planning.plan import WHY_UNPLANNABLE

CASES: list[tuple[str | None, LedgerRow | None, str]] = [
    # its standing in the view; its row in the ledger; the reason
    (None, None, "unknown"),
    (None, LedgerRow(False, "already_completed", False), "not_open"),
    (None, LedgerRow(False, "not_sent", False), "not_open"),
    (None, LedgerRow(True, "cancelled", True), "cancelled"),
    (None, LedgerRow(True, "already_cancelled", False), "cancelled"),
    (None, LedgerRow(True, "in_doubt", True), "in_doubt"),
    (None, LedgerRow(True, "claimed", False), "live"),
    ("in_ledger", LedgerRow(True, "cancelled", True), "cancelled"),
    ("in_ledger", LedgerRow(True, "planned", False), "live"),
    ("in_ledger", LedgerRow(True, "claimed", False), "live"),
    ("in_ledger", LedgerRow(True, "retrying", False), "live"),
    ("in_ledger", LedgerRow(True, "retrying", True), "in_doubt"),
    ("in_ledger", LedgerRow(True, "in_doubt", True), "in_doubt"),
    ("in_ledger", LedgerRow(False, "rejected", False), "changed"),
    ("in_ledger", None, "changed"),
    ("eligible", None, "changed"),
    ("held", None, "held"),
    ("held", LedgerRow(True, "cancelled", False), "held"),
    ("doubled", None, "doubled"),
    ("given_up", LedgerRow(False, "rejected", False), "given_up"),
    ("bad_stake", None, "bad_stake"),
]


@pytest.mark.parametrize(("standing", "row", "why"), CASES)
def test_a_refused_round_has_one_reason(standing: str | None, row: LedgerRow | None, why: str) -> None:
    """View and ledger together lead to one reason."""
    assert why == refusal_of(standing, row)


def test_each_reason_has_words() -> None:
    """Each reason, and each defect of a row, is worded; a run is named where there is one."""
    run = UUID(int=7)
    words = [str(RefusedRound("acme", "r1", why, run)) for why in (*Refusal, *WHY_UNPLANNABLE)]
    assert len(words) == len({*words})
    assert [] == [text for text in words if "{" in text]
    assert f"live in run {run}" in words


def test_a_round_named_twice_counts_not_at_all() -> None:
    """Both mentions of a repeated round are refused; the same id of another partner is another round."""
    named = [NamedRound("acme", "r1"), NamedRound("acme", "r2"), NamedRound("other", "r1"), NamedRound("acme", "r2")]
    once, twice = split_repeated(named)
    assert (NamedRound("acme", "r1"), NamedRound("other", "r1")) == once
    assert (RefusedRound("acme", "r2", "named_twice"),) == twice
    assert {"held": 1, "named_twice": 1} == count_refusals([*twice, RefusedRound("acme", "r9", "held")])
