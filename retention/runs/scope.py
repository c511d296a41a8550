"""The scope of a policy: the parameters with which the ledger selects its rounds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retention.core.name_matching import NameKind
from retention.core.planning.plan import Scope

if TYPE_CHECKING:
    from retention.settings.model import Settings
    from retention.settings.policy import Policy


def scope_of(settings: Settings, policy: Policy, limit: int | None = None) -> Scope:
    """Return the scope of a policy. `limit`: plan at most this many rounds, the oldest first."""
    partners = settings.partners_of(policy)
    return Scope(
        partners=partners,
        max_runs=tuple(settings.partner(name).max_runs for name in partners),
        open_longer_than=policy.open_longer_than,
        idle_longer_than=policy.idle_longer_than,
        markets=policy.markets,
        exclude_markets=policy.exclude_markets,
        games=policy.games,
        exclude_games=policy.exclude_games,
        limit=limit,
        other_partners=tuple(name for name in settings.partners if name not in partners),
    )


def configured_names(settings: Settings, kind: NameKind) -> set[str]:
    """Return all configured names of a kind."""
    policies = settings.policies.values()
    match kind:
        case NameKind.PARTNER:
            return set(settings.partners)
        case NameKind.POLICY:
            return set(settings.policies)
        case NameKind.MARKET:
            of_reports = {name for report in settings.reports.values() for name in report.markets or ()}
            return of_reports | {
                name for policy in policies for name in (*(policy.markets or ()), *policy.exclude_markets)
            }
        case NameKind.GAME:
            return {name for policy in policies for name in (*(policy.games or ()), *policy.exclude_games)}
