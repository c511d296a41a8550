"""The overlap of two policies."""

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
    """A policy of all rounds of both partners, with these changes."""
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
def test_an_overlap_names_the_shared_rounds(one: dict[str, Any], other: dict[str, Any], words: str | None) -> None:
    """The overlap has the names of both lists without the exclusions, compared exactly, in either order."""
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
    """The rule of shared/stale_rounds.sql, without ages."""
    return (
        partner in policy.partners
        and (policy.markets is None or market in policy.markets)
        and (policy.games is None or game in policy.games)
        and market not in policy.exclude_markets
        and (game is None or game not in policy.exclude_games)
    )


@given(SCOPES, SCOPES)
def test_policies_overlap_where_a_round_belongs_to_both(one: Scope, other: Scope) -> None:
    """Policies overlap exactly where a round belongs to both, also of an unlisted market or an unknown game."""
    rounds = product("ab", "abc", ("a", "b", "c", None))
    shared = [found for found in rounds if selects(one, *found) and selects(other, *found)]
    assert bool(shared) is (overlap(one, other) is not None)
