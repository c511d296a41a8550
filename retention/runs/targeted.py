"""Targeted runs: the rounds that a person names, under the rails of [policies.targeted] where it is configured.

Such a policy gives rails, approval and `winnings`. Its ages, markets, games, schedule and mode say nothing about named
rounds, so the record of a run leaves them out. Without it `max_rounds` is the number of rounds named, and no amount is
limited.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from retention.core.planning.named_rounds import TARGETED, count_refusals
from retention.core.runs.stricter import stricter_settings
from retention.ledger.run_request import RunRequest
from retention.runs.model import Planned
from retention.runs.narrowing import NAMED
from retention.settings.policy import Policy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from retention.core.planning.named_rounds import NamedRound, RefusedRound
    from retention.runs.model import RunParts
    from retention.runs.planning import Planning

UNUSED = {
    "open_longer_than": "1s",  # required of a policy; the least that one can say
    "idle_longer_than": None,
    "markets": None,
    "exclude_markets": (),
    "games": None,
    "exclude_games": (),
    "schedule": None,
    "timezone": None,
    "catch_up": None,
    "max_surge": None,
}
"""The keys of a policy that say nothing about named rounds, and their values where a policy needs some."""


@dataclass(frozen=True, slots=True)
class Demand:
    """The rounds that a person names, each once, and why. `twice`: the rounds that are named more than once.

    `despite_winnings`: rounds with winnings are cancelled too.
    """

    named: tuple[NamedRound, ...]
    requested_by: str
    evidence: str
    reason: str | None = None
    twice: tuple[RefusedRound, ...] = ()
    despite_winnings: bool = False

    @property
    def partners(self) -> tuple[str, ...]:
        """The partners of all named rounds."""
        return tuple(dict.fromkeys([*(one.partner for one in self.named), *(one.partner for one in self.twice)]))

    @property
    def rounds(self) -> int:
        """How many rounds are named."""
        return len(self.named) + len(self.twice)


def targeted_policy(
    configured: Policy | None, partners: Sequence[str], rounds: int, *, despite_winnings: bool
) -> Policy:
    """Return the policy of a targeted run of so many rounds. `configured`: [policies.targeted], if there is one."""
    base = configured.as_record() if configured else {"name": TARGETED, "max_rounds": rounds}
    record = base | UNUSED | {"partners": list(partners), "mode": "enforce"}
    return Policy.model_validate(record | ({"winnings": "cancel"} if despite_winnings else {}))


def targeted_record(policy: Policy, demand: Demand) -> dict[str, Any]:
    """Return the JSON for `runs.settings`: the policy without unused keys, and the demand in numbers."""
    record = {key: value for key, value in policy.as_record().items() if key not in UNUSED}
    return record | {NAMED: {"rounds": demand.rounds, "despite_winnings": demand.despite_winnings}}


def stricter_rails(settings: Mapping[str, Any], policy: Policy, configured: Policy | None) -> list[str]:
    """List the rails of a targeted run that the policy `configured` now makes stricter."""
    if configured is None:
        return []
    named = settings[NAMED]
    now = targeted_policy(
        configured, policy.partners or (), named["rounds"], despite_winnings=named["despite_winnings"]
    )
    return stricter_settings(dict(policy), dict(now))


async def plan_named(parts: RunParts, planning: Planning, demand: Demand) -> Planned:
    """Plan a targeted run. Where every round is refused, its plan has no rounds, and there is no run.

    Raises ViewError and ClockError.
    """
    configured = parts.policy_now(TARGETED)
    policy = targeted_policy(configured, demand.partners, demand.rounds, despite_winnings=demand.despite_winnings)
    scope, _ = parts.scope(policy, None)
    request = RunRequest(
        uuid.uuid4(),
        policy.name,
        policy.mode,
        demand.requested_by,
        demand.reason,
        targeted_record(policy, demand),
        evidence=demand.evidence,
    )
    limit = parts.clock_limit(policy.name)
    await planning.prepare_ledger(limit)
    plan = await parts.named.create_run(
        request,
        demand.named,
        dict(zip(scope.partners, scope.max_runs, strict=True)),
        demand.twice,
        limit,
        planning.log_correction,
    )
    refused = count_refusals(plan.refused) or None
    if plan.rounds:
        parts.log.info(
            "run.planned",
            run_id=str(request.run_id),
            policy=policy.name,
            mode=policy.mode,
            rounds=plan.rounds,
            refused=refused,
        )
    else:
        parts.log.warning("run.refused", policy=policy.name, requested_by=demand.requested_by, refused=refused)
    return Planned(request.run_id, policy, plan)
