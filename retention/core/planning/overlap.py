"""Policies that can select the same round.

Ages do not separate policies, because every round reaches each age in time. Overlapping policies are a warning, not
an error: a dry run of a new policy beside the old one is legitimate.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from retention.core.planning.plan import Scope

MAX_LISTED = 5
"""Names of one kind in a warning, at most; a longer list is not read."""


@dataclass(frozen=True, slots=True)
class NameSet:
    """A set of names, or (None) every name, without the excluded ones. Names are compared exactly, as SQL does."""

    included: frozenset[str] | None
    excluded: frozenset[str] = frozenset()

    @property
    def is_empty(self) -> bool:
        """Whether the set has no name."""
        return self.included is not None and not self.included

    def __and__(self, other: NameSet) -> NameSet:
        """The names of both sets."""
        excluded = self.excluded | other.excluded
        if self.included is None or other.included is None:
            included = other.included if self.included is None else self.included
        else:
            included = self.included & other.included
        return NameSet(None, excluded) if included is None else NameSet(included - excluded)


@dataclass(frozen=True, slots=True)
class Overlap:
    """The partners, markets and games that two policies share. Each of the three has a name."""

    partners: NameSet
    markets: NameSet
    games: NameSet

    def __str__(self) -> str:
        """Write the overlap as a predicate after the names of the two policies."""
        return f"both select rounds of {_listed(self.partners)} in {_listed(self.markets, 'every market')}" + (
            "" if self.games == NameSet(None) else f", of {_listed(self.games, 'every game')}"
        )


def overlap(one: Scope, other: Scope) -> Overlap | None:
    """Find the overlap of two policies; None where no round can be selected by both.

    A round of an unknown game counts as one more name: `games` leaves it out, `exclude_games` does not.
    """
    found = Overlap(
        NameSet(frozenset(one.partners)) & NameSet(frozenset(other.partners)),
        _names(one.markets, one.exclude_markets) & _names(other.markets, other.exclude_markets),
        _names(one.games, one.exclude_games) & _names(other.games, other.exclude_games),
    )
    return None if found.partners.is_empty or found.markets.is_empty or found.games.is_empty else found


def _names(included: Iterable[str] | None, excluded: Iterable[str]) -> NameSet:
    """The names of a policy's list without its exceptions."""
    return NameSet(None if included is None else frozenset(included)) & NameSet(None, frozenset(excluded))


def _listed(names: NameSet, every: str = "") -> str:
    if names.included is not None:
        return _joined(names.included)
    return f"{every} but {_joined(names.excluded)}" if names.excluded else every


def _joined(names: Iterable[str]) -> str:
    words = sorted(names)
    if len(words) > MAX_LISTED:
        words = [*words[:MAX_LISTED], f"{len(words) - MAX_LISTED} more"]
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))
