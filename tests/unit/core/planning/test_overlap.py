"""Which policies could select the same round, and in what."""

from __future__ import annotations

from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retention.core.planning.overlap import overlap
from retention.core.planning.plan import Scope

ALL = Scope(("acme", "beta"), (3, 3), timedelta(hours=72), None, None, (), None, ())


def scope(**fields: Any) -> Scope:
    """A policy of all rounds of both partners, but for what is given."""
    given = {
        "partners": ALL.partners,
        "markets": None,
        "exclude_markets": (),
        "games": None,
        "exclude_games": (),
    } | fields
    return Scope(
        max_runs=(3,) * len(given["partners"]), open_longer_than=timedelta(hours=72), idle_longer_than=None, **given
    )


@pytest.mark.parametrize(
    ("one", "other", "words"),
    [
        ({}, {}, "acme and beta in every market"),
        ({"partners": ("acme",)}, {"markets": ("MT",)}, "acme in MT"),
        ({"partners": ("acme",)}, {"partners": ("beta",)}, None),
        ({"markets": ("MT", "SE", "DK")}, {"markets": ("SE", "MT", "GB")}, "acme and beta in MT and SE"),
        ({"markets": ("MT",)}, {"markets": ("mt", "MT ")}, None),
        ({"markets": ("MT",)}, {"exclude_markets": ("MT",)}, None),
        ({"markets": ("MT", "SE")}, {"exclude_markets": ("MT",)}, "acme and beta in SE"),
        ({"exclude_markets": ("GB",)}, {"exclude_markets": ("MT",)}, "acme and beta in every market but GB and MT"),
        ({"games": ("g1", "g2")}, {"exclude_games": ("g2",)}, "acme and beta in every market, of g1"),
        ({"games": ("g1",)}, {"games": ("g2",)}, None),
        ({"games": ("g1",)}, {"exclude_games": ("g1",)}, None),
        ({"exclude_games": ("g1",)}, {}, "acme and beta in every market, of every game but g1"),
        ({"markets": ("MT",), "games": ("g1",)}, {"markets": ("MT",), "games": ("g2",)}, None),
        ({"markets": tuple("ABCDE")}, {}, "acme and beta in A, B, C, D and E"),
        ({"markets": tuple("ABCDEFG")}, {}, "acme and beta in A, B, C, D, E and 2 more"),
    ],
)
def test_what_two_policies_share_is_told(one: dict[str, Any], other: dict[str, Any], words: str | None) -> None:
    """Lists meet in what both have and neither excludes, to the letter, whichever policy comes first."""
    expected = f"both select rounds of {words}" if words else None
    for found in (overlap(scope(**one), scope(**other)), overlap(scope(**other), scope(**one))):
        assert expected == (str(found) if found else None)


NAMES = st.lists(st.sampled_from("ab"), unique=True).map(tuple)
SCOPES = st.builds(
    scope,
    partners=NAMES,
    markets=st.none() | NAMES,
    exclude_markets=NAMES,
    games=st.none() | NAMES,
    exclude_games=NAMES,
)


def selects(policy: Scope, partner: str, market: str, game: str | None) -> bool:
    """What shared/stale_rounds.sql says, the ages apart."""
    return (
        partner in policy.partners
        and (policy.markets is None or market in policy.markets)
        and (policy.games is None or game in policy.games)
        and market not in policy.exclude_markets
        and (game is None or game not in policy.exclude_games)
    )


@given(SCOPES, SCOPES)
def test_policies_overlap_where_there_is_a_round_of_both(one: Scope, other: Scope) -> None:
    """Tried with every kind of round, those of a market that nobody names and of no known game among them."""
    rounds = product("ab", "abc", ("a", "b", "c", None))
    shared = [found for found in rounds if selects(one, *found) and selects(other, *found)]
    assert bool(shared) is (overlap(one, other) is not None)
