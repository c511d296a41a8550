"""The eligibility of a round: selected by a policy, or every reason against it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retention.core.model import OpenRound
from retention.core.planning.eligibility import CurrentRow, LedgerFacts, explain_eligibility
from retention.core.planning.holds import Hold
from retention.core.planning.plan import Scope

NOW = datetime(2025, 3, 4, 12, tzinfo=UTC)
ROUND = OpenRound(
    partner="acme",
    market="MT",
    game_id="g1",
    user_id="U-1",
    round_id="R-1",
    opened_at=NOW - timedelta(hours=72),
    last_activity_at=NOW - timedelta(hours=24),
    currency="EUR",
    stake=Decimal(100),
    bet_transaction_id="T1",
)
SCOPE = Scope(
    partners=("acme", "other"),
    max_runs=(3, 1),
    open_longer_than=timedelta(hours=72),
    idle_longer_than=timedelta(hours=24),
    markets=("MT", "SE"),
    exclude_markets=("GB",),
    games=("g1", "g2"),
    exclude_games=("g9",),
)
HOLD = Hold(
    hold_id=7,
    partner="acme",
    market=None,
    game_id=None,
    user_id=None,
    round_id="R-1",
    reason="complaint 3",
    created_by="ann",
    created_at=NOW - timedelta(hours=1),
    until=None,
    released_at=None,
    released_by=None,
)
NO_LIMITS = Scope(("acme",), (3,), timedelta(0), None, None, (), None, ())


def why_not(found: OpenRound | None = ROUND, scope: Scope = SCOPE, **standing: Any) -> tuple[str, ...]:
    """The reasons against a round, which is selected only without one."""
    verdict = explain_eligibility("nightly", scope, found, LedgerFacts(**standing), NOW)
    assert verdict.selected is (not verdict.why_not)
    assert "nightly" == verdict.policy
    return verdict.why_not


def test_a_stale_round_is_selected() -> None:
    """A round that is exactly as old and as idle as the policy asks for is stale."""
    assert () == why_not()


def test_a_round_that_is_not_open_is_not_selected() -> None:
    """A round that the operator's view does not have cannot be planned."""
    assert ("it is not among the operator's open rounds",) == why_not(None)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"partner": "third"}, "partner third is none of the policy's: acme, other"),
        ({"market": "DK"}, "market DK is none of the policy's: MT, SE"),
        ({"game_id": "g3"}, "game g3 is none of the policy's: g1, g2"),
        ({"game_id": None}, "its game, which is not known, is none of the policy's: g1, g2"),
        (
            {"opened_at": NOW - timedelta(hours=72, microseconds=-1)},
            "opened at 2025-03-01T12:00:00.000001Z, it becomes stale at 2025-03-04T12:00:00.000001Z",
        ),
        (
            {"last_activity_at": NOW - timedelta(hours=23)},
            "last active at 2025-03-03T13:00:00Z, it will have been idle long enough at 2025-03-04T13:00:00Z",
        ),
    ],
)
def test_a_round_out_of_scope_names_the_limit(change: dict[str, Any], words: str) -> None:
    """Each limit of the policy that leaves the round out is named, with the moment when it no longer does."""
    assert (words,) == why_not(replace(ROUND, **change))


def test_exclusions_are_named() -> None:
    """An excluded market or game is named, and an unknown game is not excluded."""
    scope = replace(SCOPE, markets=None, games=None)

    assert ("market GB is excluded",) == why_not(replace(ROUND, market="GB"), scope)
    assert ("game g9 is excluded",) == why_not(replace(ROUND, game_id="g9"), scope)
    assert () == why_not(replace(ROUND, game_id=None), scope)


def test_a_policy_without_limits_selects_any_open_round() -> None:
    """Without limits any open round is selected, and an unknown last activity counts as idle."""
    assert () == why_not(replace(ROUND, market="ZZ", game_id=None, last_activity_at=NOW), NO_LIMITS)
    assert () == why_not(replace(ROUND, last_activity_at=None))


def test_an_active_hold_is_named_with_its_author_and_reason() -> None:
    """An active hold that matches is named, with its end if it has one."""
    until = NOW + timedelta(hours=1)

    assert ("on hold by hold 7 of ann: complaint 3",) == why_not(holds=(HOLD,))
    assert ("on hold by hold 7 of ann, until 2025-03-04T13:00:00Z: complaint 3",) == why_not(
        holds=(replace(HOLD, until=until),)
    )


@pytest.mark.parametrize(
    "change",
    [
        {"until": NOW},
        {"released_at": NOW, "released_by": "bob"},
        {"round_id": "R-2"},
        {"partner": "other"},
        {"market": "SE"},
        {"game_id": "g2"},
        {"user_id": "U-2"},
    ],
)
def test_an_ended_or_other_hold_does_not_count(change: dict[str, Any]) -> None:
    """An ended or released hold, and a hold of another round, are no reasons."""
    assert () == why_not(holds=(replace(HOLD, **change),))


def test_a_hold_on_a_game_does_not_match_an_unknown_game() -> None:
    """A hold's field does not match an unknown value."""
    assert not replace(HOLD, game_id="g1").matches(replace(ROUND, game_id=None))


def test_the_current_row_of_the_ledger_is_named() -> None:
    """The cancellation that holds the round is named with its run."""
    current_row = CurrentRow(12, UUID(int=5), "in_doubt")

    assert (f"in the ledger as in_doubt: cancellation 12 of run {UUID(int=5)}",) == why_not(current_row=current_row)


def test_a_round_is_given_up_after_its_partners_max_runs() -> None:
    """Each partner has its own number of runs after which a round waits for a person."""
    assert () == why_not(ended_runs=2)
    words = "given up: rejected or already completed in {0}, and max_runs is {1}; `retention review resolve` lets it be planned again"
    assert (words.format("3 runs", 3),) == why_not(ended_runs=3)
    assert (words.format("1 run", 1),) == why_not(
        replace(
            ROUND,
            partner="other",
        ),
        ended_runs=1,
    )
    assert () == why_not(replace(ROUND, partner="other"))


def test_every_reason_is_named_at_once() -> None:
    """All reasons are named together, so that one correction does not only uncover the next."""
    found = replace(ROUND, market="DK", opened_at=NOW, last_activity_at=NOW)

    assert 6 == len(why_not(found, holds=(HOLD,), current_row=CurrentRow(1, UUID(int=1), "planned"), ended_runs=9))


@given(st.timedeltas(timedelta(0), timedelta(days=9)), st.timedeltas(timedelta(0), timedelta(days=9)))
def test_a_round_is_stale_from_the_named_moment_on(age: timedelta, limit: timedelta) -> None:
    """The moment at which a young round is said to become stale is the first at which it is selected."""
    found, scope = replace(ROUND, opened_at=NOW - age), replace(NO_LIMITS, open_longer_than=limit)
    stale_at = NOW - age + limit

    assert (age >= limit) is (not why_not(found, scope))
    assert explain_eligibility("p", scope, found, LedgerFacts(), stale_at).selected
    assert not explain_eligibility("p", scope, found, LedgerFacts(), stale_at - timedelta(microseconds=1)).selected
