"""Narrows a policy for one run, as far as a person may."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from retention.core.invisible_text import is_blank
from retention.core.name_matching import did_you_mean
from retention.core.planning.view_source import VIEW_AT
from retention.errors import UsageError
from retention.settings.durations import format_duration

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from retention.settings.policy import Policy


CONFIGURED = "configured"
"""The key in a run's settings with the policy's configured values that a person replaced for the run."""

NAMED = "named"
"""The key in a targeted run's settings with its demand: how many `rounds`, and `despite_winnings`."""

NOT_POLICY = {"limit", CONFIGURED, NAMED, VIEW_AT}
"""The keys in a run's settings that are not part of the policy."""


def replaced_values(policy: Policy, configured: Policy | None) -> dict[str, Any]:
    """Return the configured mode and age (`open_longer_than`) where a person chose others for this run."""
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
    """Return the policy with the changes for one run.

    Markets may only be narrowed: the policy is the rail, and a command line must not widen it. A younger age needs a
    reason. Raises UsageError.
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
            meant = did_you_mean(outside[0], policy.markets or ())
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
