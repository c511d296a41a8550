"""Where two policies could select the same round: the age apart, which every round reaches in time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from retention.core.planning.plan import Scope

SHOWN = 5
"""Names of one kind; a warning that lists more is not read."""


@dataclass(frozen=True, slots=True)
class Names:
    """Some names, or every name but some. They are compared as SQL does: to the letter."""

    only: frozenset[str] | None
    but: frozenset[str] = frozenset()

    @property
    def none(self) -> bool:
        """Whether there is no such name."""
        return self.only is not None and not self.only

    def __and__(self, other: Names) -> Names:
        """The names that are among both."""
        but = self.but | other.but
        if self.only is None or other.only is None:
            only = other.only if self.only is None else self.only
        else:
            only = self.only & other.only
        return Names(None, but) if only is None else Names(only - but)


@dataclass(frozen=True, slots=True)
class Overlap:
    """What two policies both speak of. None of the three is empty."""

    partners: Names
    markets: Names
    games: Names

    def __str__(self) -> str:
        """Say it in words that follow on the two policies' names."""
        return f"both select rounds of {_listed(self.partners)} in {_listed(self.markets, 'every market')}" + (
            "" if self.games == Names(None) else f", of {_listed(self.games, 'every game')}"
        )


def overlap(one: Scope, other: Scope) -> Overlap | None:
    """Find what two policies both speak of; None where no round can be selected by both.

    A round whose game is not known is one more name that nobody lists: `games` leaves it out, `exclude_games` does not.
    """
    found = Overlap(
        Names(frozenset(one.partners)) & Names(frozenset(other.partners)),
        _names(one.markets, one.exclude_markets) & _names(other.markets, other.exclude_markets),
        _names(one.games, one.exclude_games) & _names(other.games, other.exclude_games),
    )
    return None if found.partners.none or found.markets.none or found.games.none else found


def _names(only: Iterable[str] | None, but: Iterable[str]) -> Names:
    """What a policy's list and its list of exceptions leave."""
    return Names(None if only is None else frozenset(only)) & Names(None, frozenset(but))


def _listed(names: Names, every: str = "") -> str:
    if names.only is not None:
        return _joined(names.only)
    return f"{every} but {_joined(names.but)}" if names.but else every


def _joined(names: Iterable[str]) -> str:
    words = sorted(names)
    if len(words) > SHOWN:
        words = [*words[:SHOWN], f"{len(words) - SHOWN} more"]
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))
