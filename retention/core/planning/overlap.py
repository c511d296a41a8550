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
"""Names of one kind; a warning that lists more is not read."""


@dataclass(frozen=True, slots=True)
class NameSet:
    """Some names, or every name but some. They are compared as SQL does: to the letter."""

    included: frozenset[str] | None
    excluded: frozenset[str] = frozenset()

    @property
    def is_empty(self) -> bool:
        """Whether there is no such name."""
        return self.included is not None and not self.included

    def __and__(self, other: NameSet) -> NameSet:
        """The names that are among both."""
        excluded = self.excluded | other.excluded
        if self.included is None or other.included is None:
            included = other.included if self.included is None else self.included
        else:
            included = self.included & other.included
        return NameSet(None, excluded) if included is None else NameSet(included - excluded)


@dataclass(frozen=True, slots=True)
class Overlap:
    """What two policies both speak of. None of the three is empty."""

    partners: NameSet
    markets: NameSet
    games: NameSet

    def __str__(self) -> str:
        """Say it in words that follow on the two policies' names."""
        return f"both select rounds of {_listed(self.partners)} in {_listed(self.markets, 'every market')}" + (
            "" if self.games == NameSet(None) else f", of {_listed(self.games, 'every game')}"
        )


def overlap(one: Scope, other: Scope) -> Overlap | None:
    """Find what two policies both speak of; None where no round can be selected by both.

    A round whose game is not known is one more name that nobody lists: `games` leaves it out, `exclude_games` does not.
    """
    found = Overlap(
        NameSet(frozenset(one.partners)) & NameSet(frozenset(other.partners)),
        _names(one.markets, one.exclude_markets) & _names(other.markets, other.exclude_markets),
        _names(one.games, one.exclude_games) & _names(other.games, other.exclude_games),
    )
    return None if found.partners.is_empty or found.markets.is_empty or found.games.is_empty else found


def _names(included: Iterable[str] | None, excluded: Iterable[str]) -> NameSet:
    """What a policy's list and its list of exceptions leave."""
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
