"""Checks of the configuration alone: its extent, policies, schedules, overlaps and partners."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import combinations, islice
from typing import TYPE_CHECKING

from retention.core.planning.named_rounds import TARGETED
from retention.core.planning.overlap import overlap
from retention.ledger.checks.finding import Finding
from retention.runs.scope import scope_of
from retention.settings.durations import format_duration
from retention.wiring.partners import terms_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from retention.settings.model import Settings
    from retention.settings.partner import Partner
    from retention.settings.policy import Policy

AUTO_CLOSING = timedelta(hours=24)
"""Within this time the vendor itself completes abandoned rounds."""

SELDOM = timedelta(days=366)
"""A schedule whose next time is further away is probably a mistake."""

EXAMPLE = "replace-me"
"""The value of a secret in the file of `retention init`."""

SHOWN_TIMES = 5
"""Next times shown for each schedule."""


def configuration_findings(settings: Settings, schedules: Mapping[str, Sequence[datetime]]) -> Iterator[Finding]:
    """Check the configuration. `schedules`: the next times of each policy, as `next_times` returns them."""
    yield Finding("configuration", ok=True, message=_extent(settings))
    yield from map(_policy, settings.policies.values())
    now = datetime.now(UTC)
    yield from (_schedule(settings.policies[name], times, now) for name, times in schedules.items())
    yield from _overlaps(settings)
    yield from _deadlines(settings)
    yield from _examples(settings)
    yield from _rate_groups(settings)
    yield from (_without_status_call(partner) for partner in settings.partners.values() if not partner.asks_first)


def next_times(settings: Settings, now: datetime) -> dict[str, list[datetime]]:
    """Return the next times of each policy that has a schedule, by the policy's name."""
    schedules = {policy.name: policy.times for policy in settings.policies.values()}
    return {name: list(islice(times.after(now), SHOWN_TIMES)) for name, times in schedules.items() if times}


def _extent(settings: Settings) -> str:
    def counted(names: Sequence[str], one: str, many: str) -> str:
        return f"{len(names)} {one if len(names) == 1 else many} ({', '.join(names)})" if names else f"no {one}"

    partners = counted(list(settings.partners), "partner", "partners")
    return f"{partners}, {counted(list(settings.policies), 'policy', 'policies')}"


def _policy(policy: Policy) -> Finding:
    name, age = f"policy {policy.name}", format_duration(policy.open_longer_than)
    if policy.open_longer_than < AUTO_CLOSING:
        within = format_duration(AUTO_CLOSING)
        message = f"open_longer_than is {age}, but within {within} the vendor still closes rounds itself"
        return Finding(name, ok=True, message=message, warning=True)
    return Finding(name, ok=True, message=f"{policy.mode}, rounds open for {age}, at most {policy.max_rounds} of them")


def _schedule(policy: Policy, times: Sequence[datetime], now: datetime) -> Finding:
    coming = ", ".join(f"{time:%a} {time.isoformat(' ', 'minutes')}" for time in times)
    within = f"within {format_duration(policy.catch_up)}" if policy.catch_up else None
    message = f"{coming}; a missed time is " + (f"made up for {within}" if within else "not made up for (no catch_up)")
    seldom = not times or times[0] - now > SELDOM
    if seldom:
        message += (
            f"; the first is more than a year away: correct policies.{policy.name}.schedule, if that is not meant"
        )
    return Finding(f"schedule of policy {policy.name}", ok=True, message=message, warning=seldom)


def _examples(settings: Settings) -> Iterator[Finding]:
    """Refuse a partner that still has the examples of `retention init`."""
    for partner in settings.partners.values():
        secrets = {"secure_login": partner.secure_login, "token": partner.token}
        left = [key for key, secret in secrets.items() if secret.reveal() == EXAMPLE]
        if left:
            keys = " and ".join(f"partners.{partner.name}.{key}" for key in left)
            message = f"{keys}: still an example; write what the vendor gave you"
            yield Finding(f"partner {partner.name}", ok=False, message=message)


def _overlaps(settings: Settings) -> Iterator[Finding]:
    """Warn of policies that share rounds: the policy that runs first gets them."""
    if not settings.partners:
        return
    # [policies.targeted] without a schedule only has the rails of named rounds.
    policies = [policy for policy in settings.policies.values() if policy.name != TARGETED or policy.schedule]
    for one, other in combinations(policies, 2):
        if found := overlap(scope_of(settings, one), scope_of(settings, other)):
            message = f"{found}; the first to run takes them: exclude_markets or exclude_games keeps them apart"
            yield Finding(f"policies {one.name} and {other.name}", ok=True, message=message, warning=True)


def _deadlines(settings: Settings) -> Iterator[Finding]:
    """Warn of deadlines that come before a run may send: on a database server that has restarted, it waits first."""
    if not settings.partners:
        return
    leases = {name: terms_of(settings, name).lease for name in settings.partners}
    for policy in settings.policies.values():
        lease = timedelta(seconds=max(leases[name] for name in settings.partners_of(policy)))
        if policy.deadline is not None and policy.deadline <= lease:
            message = (
                f"deadline is {format_duration(policy.deadline)}: the first run after a restart of the database waits"
                f" {format_duration(lease)} (timeout and 5 s), and sends nothing; set a longer one"
            )
            yield Finding(f"policy {policy.name}", ok=True, message=message, warning=True)


def _rate_groups(settings: Settings) -> Iterator[Finding]:
    """Name the partners of each rate group; warn of groups without partners, and of rates above their group's."""
    for group in settings.rate_groups.values():
        name, members = f"rate group {group.name}", settings.partners_in(group.name)
        if not members:
            message = f'no partner has rate_group = "{group.name}", so it limits nothing; add that, or take it out'
            yield Finding(name, ok=True, message=message, warning=True)
            continue
        yield Finding(name, ok=True, message=f"{group.rate:g} requests per second for {', '.join(members)} together")
        for partner in map(settings.partner, members):
            rates = {"rate": partner.rate, "question_rate": partner.question_rate or 0.0}
            for key, rate in rates.items():
                if rate > group.rate:
                    message = f"{key} is {rate:g}, but its rate group {group.name} allows {group.rate:g}: that counts"
                    yield Finding(f"partner {partner.name}", ok=True, message=message, warning=True)


def _without_status_call(partner: Partner) -> Finding:
    """Warn of a partner that is cancelled at without a status call: only the ledger then knows of earlier cancels."""
    probe, ask = not partner.status_probe, partner.ask_first is False
    keys = " and ".join(key for key, off in (("status_probe = true", probe), ("ask_first = true", ask)) if off)
    message = (
        "ask_first is off: a ledger that is restored from an older copy would cancel again all that it has forgotten;"
        f" set {keys}, if the vendor answers GetRoundStatus"
    )
    return Finding(f"partner {partner.name}", ok=True, message=message, warning=True)
