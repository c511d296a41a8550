"""What a person may change about a policy for one run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from retention.core.names import hint
from retention.core.typed_text import is_blank
from retention.errors import UsageError
from retention.settings.durations import format_duration

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from retention.settings.policy import Policy


CONFIGURED = "configured"
"""In a run's settings: the policy's own values, where a person has chosen others for the run."""

BESIDES = {"limit", CONFIGURED}
"""What a run's settings hold beside the policy."""


def chosen(policy: Policy, configured: Policy | None) -> dict[str, Any]:
    """What the configuration had, where a person has chosen another mode or age for this run."""
    if configured is None:
        return {}
    before, record = configured.as_record(), policy.as_record()
    return {key: before[key] for key in ("mode", "open_longer_than") if before[key] != record[key]}


def narrowed(
    policy: Policy,
    *,
    markets: Sequence[str] = (),
    older_than: timedelta | None = None,
    mode: str | None = None,
    reason: str | None = None,
) -> Policy:
    """The policy as it is to be for one run.

    Markets may only be narrowed: the policy is the rail, and a command line is no place to widen it. A younger age is
    allowed to whoever gives a reason. Raises UsageError.
    """
    changes: dict[str, Any] = {}
    if markets:
        outside = [
            market
            for market in markets
            if market in policy.exclude_markets or (policy.markets is not None and market not in policy.markets)
        ]
        if outside:
            allowed = ", ".join(policy.markets) if policy.markets is not None else "all but its exclude_markets"
            meant = hint(outside[0], policy.markets or ())
            raise UsageError(
                f"--market {', '.join(outside)}: not in policy {policy.name!r}, which allows {allowed}{meant}"
            )
        changes["markets"] = tuple(dict.fromkeys(markets))
    if older_than is not None:
        if older_than < policy.open_longer_than and is_blank(reason or ""):
            raise UsageError(
                f"--older-than {format_duration(older_than)} is below the {format_duration(policy.open_longer_than)} "
                f"of policy {policy.name!r}; say why with --reason",
            )
        changes["open_longer_than"] = older_than
    if mode is not None:
        changes["mode"] = mode
    return policy.model_copy(update=changes) if changes else policy
