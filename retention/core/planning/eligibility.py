"""The eligibility of one round, explained: the rules that shared/stale_rounds.sql applies to all rounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from retention.core.planning.plan import WHY_UNPLANNABLE
from retention.core.text import counted, time_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from retention.core.model import OpenRound
    from retention.core.planning.holds import Hold
    from retention.core.planning.plan import Scope


@dataclass(frozen=True, slots=True)
class CurrentRow:
    """The cancellation that holds the round: live, or cancelled.

    `month`: it is archived, and its run is not known; None where the ledger has it.
    """

    cancellation_id: int
    run_id: UUID | None
    state: str
    month: str | None = None


@dataclass(frozen=True, slots=True)
class LedgerFacts:
    """Facts about a round that count for every policy.

    `ended_runs` counts the runs in which the round was rejected or already completed, since its last resolution.
    `view_rows` counts the round's rows in the operator's view.
    """

    holds: Sequence[Hold] = ()
    current_row: CurrentRow | None = None
    ended_runs: int = 0
    view_rows: int = 1


@dataclass(frozen=True, slots=True)
class Eligibility:
    """The decision of a policy about the round; `why_not` is empty where the policy selects it."""

    policy: str
    selected: bool
    why_not: tuple[str, ...]


def explain_eligibility(
    policy: str, scope: Scope, found: OpenRound | None, facts: LedgerFacts, as_of: datetime
) -> Eligibility:
    """Decide whether a policy would plan the round at `as_of`, and name every reason against it."""
    if found is None:
        reasons = ["it is not among the operator's open rounds"]
    else:
        reasons = [
            *_broken(found),
            *_doubled(facts),
            *_out_of_scope(scope, found),
            *_too_young(scope, found, as_of),
            *_on_hold(facts.holds, found, as_of),
            *_in_ledger(dict(zip(scope.partners, scope.max_runs, strict=True)), found, facts),
        ]
    return Eligibility(policy, not reasons, tuple(reasons))


def can_be_named(found: OpenRound | None, facts: LedgerFacts, max_runs: Mapping[str, int], as_of: datetime) -> bool:
    """Decide whether a targeted run would cancel the round at `as_of`, whatever its age, market and game.

    `max_runs` has each configured partner's limit.
    """
    if found is None or found.partner not in max_runs:
        return False
    against = (_broken(found), _doubled(facts), _on_hold(facts.holds, found, as_of), _in_ledger(max_runs, found, facts))
    return not any(reason for reasons in against for reason in reasons)


def _broken(found: OpenRound) -> Iterator[str]:
    if found.broken is not None:
        yield f"the operator's view has it with {WHY_UNPLANNABLE[found.broken]}"


def _doubled(facts: LedgerFacts) -> Iterator[str]:
    if facts.view_rows > 1:
        yield f"the operator's view has it {facts.view_rows} times; what is shown here is one of these rows"


def _out_of_scope(scope: Scope, found: OpenRound) -> Iterator[str]:
    if found.partner not in scope.partners:
        yield f"partner {found.partner} is none of the policy's: {', '.join(scope.partners)}"
    if scope.markets is not None and found.market is not None and found.market not in scope.markets:
        yield f"market {found.market} is none of the policy's: {', '.join(scope.markets)}"
    if found.market in scope.exclude_markets:
        yield f"market {found.market} is excluded"
    if scope.games is not None and found.game_id not in scope.games:
        game = f"game {found.game_id}" if found.game_id is not None else "its game, which is not known,"
        yield f"{game} is none of the policy's: {', '.join(scope.games)}"
    if found.game_id in scope.exclude_games:
        yield f"game {found.game_id} is excluded"


def _too_young(scope: Scope, found: OpenRound, as_of: datetime) -> Iterator[str]:
    if found.opened_at is not None and found.opened_at > as_of - scope.open_longer_than:
        stale_at = found.opened_at + scope.open_longer_than
        yield f"opened at {time_text(found.opened_at)}, it becomes stale at {time_text(stale_at)}"
    idle, last = scope.idle_longer_than, found.last_activity_at
    if idle is not None and last is not None and last > as_of - idle:
        yield f"last active at {time_text(last)}, it will have been idle long enough at {time_text(last + idle)}"


def _on_hold(holds: Sequence[Hold], found: OpenRound, as_of: datetime) -> Iterator[str]:
    for hold in holds:
        if hold.is_active(as_of) and hold.matches(found):
            until = f", until {time_text(hold.until)}" if hold.until else ""
            yield f"on hold by hold {hold.hold_id} of {hold.created_by}{until}: {hold.reason}"


def _in_ledger(max_runs_by_partner: Mapping[str, int], found: OpenRound, facts: LedgerFacts) -> Iterator[str]:
    if (row := facts.current_row) is not None and row.month is not None:
        yield f"{row.state} in {row.month}, which is archived: cancellation {row.cancellation_id}"
    elif row is not None:
        yield f"in the ledger as {row.state}: cancellation {row.cancellation_id} of run {row.run_id}"
    max_runs = max_runs_by_partner.get(found.partner)
    if max_runs is not None and facts.ended_runs >= max_runs:
        yield (
            f"given up: rejected or already completed in {counted(facts.ended_runs, 'run')},"
            f" and max_runs is {max_runs};"
            " `retention review resolve` lets it be planned again"
        )
