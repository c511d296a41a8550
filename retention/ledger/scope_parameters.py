"""A plan's scope as the parameters of its statements."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime

    from retention.core.planning.plan import Scope


def scope_parameters(scope: Scope, as_of: datetime) -> dict[str, Any]:
    """The parameters of stale_rounds.sql."""
    return {
        "as_of": as_of,
        "partners": list(scope.partners),
        "max_runs": list(scope.max_runs),
        "other_partners": list(scope.other_partners),
        "open_longer_than": scope.open_longer_than.total_seconds(),
        "idle_longer_than": scope.idle_longer_than.total_seconds() if scope.idle_longer_than else None,
        "markets": list(scope.markets) if scope.markets is not None else None,
        "games": list(scope.games) if scope.games is not None else None,
        "exclude_markets": list(scope.exclude_markets),
        "exclude_games": list(scope.exclude_games),
    }
